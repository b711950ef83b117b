"use strict";
// Any two rungs side by side.

async function compareView(set, before, after) {
  const ladder = await load(`${set}/ladder`);
  const names = ladder.rows.map((row) => row.rung);
  const last = ladder.rows.findLast((row) => row.against && names.includes(row.against)) ?? ladder.rows.at(-1);
  before ??= last.against ?? names[0];
  after ??= last.rung;
  for (const rung of [before, after]) rowOf(ladder, rung);
  const [pairs, writers, old, now] = await Promise.all([load(`${set}/pairs`), load(`${set}/writers`), load(`${set}/rungs/${before}`), load(`${set}/rungs/${after}`)]);
  const go = (a, b) => { location.hash = `#/${set}/compare/${a}/${b}`; };
  const options = names.map((name) => [name, name]);
  return [
    heading(`${before} → ${after}`),
    element("div", { class: "controls" },
      choice("Before", options, before, (value) => go(value, after)),
      choice("After", options, after, (value) => go(before, value)),
      element("button", { type: "button", name: "Swap", onclick: () => go(after, before) }, "Swap")),
    before === after ? element("p", {}, "Choose two rungs.") : verdictPart(ladder, changeOf(pairs, before, after)),
    ...[...new Set([before, after])].map((rung) => collapsedNote(rowOf(ladder, rung), `${rung}: `)),
    factsPart(ladder, old, now),
    ...networksPart(old, now),
    element("h2", {}, "Curves"),
    element("div", { class: "columns" }, ["accuracy", "loss"].map((what) =>
      chart(`Test ${what} by epoch of both`, (width) => curvesSpec({ [before]: old.curves, [after]: now.curves }, what, width)))),
    ...imagesPart(ladder, old, now, writers),
  ];
}

/** Return {change, low, high, verdict} from one rung to another. A pair is kept once, so it may have to be turned. */
function changeOf(pairs, before, after) {
  const turned = { better: "worse", worse: "better" };
  const kept = pairs[`${before} ${after}`];
  if (kept) return kept;
  const pair = pairs[`${after} ${before}`];
  const minus = (value) => (value == null ? value : -value);
  const say = (said) => said?.replace(/\b(better|worse)\b/g, (word) => turned[word]);
  return { ...pair, change: -pair.change, low: minus(pair.high), high: minus(pair.low), verdict: say(pair.verdict),
    writers_low: minus(pair.writers_high), writers_high: minus(pair.writers_low), writers_verdict: say(pair.writers_verdict) };
}

function verdictPart(ladder, { change, low, high, verdict: said, writers_low, writers_high, writers_verdict }) {
  return element("p", { id: "verdict" }, said ? verdict(said) : "Seed noise is unknown", `: ${number(change, 2, "+")} points of accuracy`, low != null && ` ${interval(low, high)}`,
    writers_verdict && [`; for new seeds and ${ladder.others} `, verdict(writers_verdict), ` ${interval(writers_low, writers_high)}`], ".");
}

function factsPart(ladder, old, now) {
  const [a, b] = [old, now].map((facts) => rowOf(ladder, facts.rung));
  const link = (rung) => element("a", { href: `#/${ladder.name}/rung/${rung}` }, rung);
  const recipe = (facts) => Object.fromEntries(facts.recipe);
  const keys = [...new Set([...old.recipe, ...now.recipe].map(([key]) => key))].filter((key) => recipe(old)[key] !== recipe(now)[key]);
  return table("Facts on both", ["", link(old.rung), link(now.rung)], [
    ["accuracy, %", ...[a, b].map((row) => `${number(row.accuracy)} ${interval(row.accuracy_low, row.accuracy_high)} (${row.seeds} seeds)`)],
    ["parameters", whole(a.parameters), whole(b.parameters)],
    ["train − test", number(a.gap), number(b.gap)],
    ...keys.map((key) => [words(key), words(recipe(old)[key] ?? ""), words(recipe(now)[key] ?? "")]),
  ]);
}

/** Both networks, where a layer differs. */
function networksPart(old, now) {
  const layers = (facts) => facts.layers.map((layer) => layer.layer).join();
  if (layers(old) === layers(now)) return [];
  return [element("h2", {}, "Networks"), element("div", { class: "columns" }, [old, now].map((facts) =>
    element("div", {}, element("h3", {}, facts.rung), networkPicture(facts, true))))];
}

/** The images that most seeds misread on one side and fewer than half on the other, the most consistent first. */
function imagesPart(ladder, old, now, writers) {
  const sides = [old, now].map((facts) => ({ misread: misreadBy(facts.misread), seeds: rowOf(ladder, facts.rung).seeds }));
  const images = [...new Set(sides.flatMap((side) => [...side.misread.keys()]))].sort((a, b) => a - b);
  const share = (side, image) => (side.misread.get(image)?.predictions.length ?? 0) / side.seeds;
  const changed = (from, to) => images.filter((image) => share(from, image) > 0.5 && share(to, image) < 0.5)
    .sort((a, b) => (share(from, b) - share(to, b)) - (share(from, a) - share(to, a)) || a - b)
    .map((image) => {
      const { label, predictions } = from.misread.get(image);
      const counts = sides.map((side) => `${side.misread.get(image)?.predictions.length ?? 0}/${side.seeds}`);
      return { image, text: [`${ladder.classes[label]} read as ${ladder.classes[mostly(predictions)]}`, `${counts.join(" → ")} seeds`] };
    });
  const [fixed, broken] = [changed(...sides), changed(...[...sides].reverse())];
  const part = (title, digits) => [element("h2", {}, `${title}: ${whole(digits.length)}`), digits.length > 0 && pictureList(ladder, digits, writers)];
  return [element("p", { class: "faint" }, "An image is fixed or broken where more than half of the seeds misread it on one side, and fewer than half on the other."),
    ...part("Images fixed", fixed), ...part("Images broken", broken)];
}
