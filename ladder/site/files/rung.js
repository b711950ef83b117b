"use strict";
// A rung's own page: step, card, network, curves, confusion, misread images.

async function rungView(set, rung = "without a name") {
  const ladder = await load(`${set}/ladder`);
  const row = rowOf(ladder, rung);
  const [facts, writers] = await Promise.all([load(`${set}/rungs/${rung}`), load(`${set}/writers`)]);
  const runs = ladder.networks.some((network) => network.rung === rung);
  return [
    heading(`${rung}: ${facts.title}`),
    element("p", {}, `Goal: ${facts.goal}`),
    facts.differs && element("p", {}, `What its source did differently from what it said: ${facts.differs}`),
    element("p", {}, element("strong", {}, `${number(row.accuracy)} %`), ` of ${whole(ladder.images)} test images, ${row.seeds} seed${row.seeds > 1 ? "s" : ""}`,
      row.accuracy_low != null && `, 95 % interval ${interval(row.accuracy_low, row.accuracy_high)}`, `; ${whole(row.parameters)} parameters. `,
      runs && element("a", { href: `#/${set}/draw` }, "Let it read a digit.")),
    collapsedNote(row),
    ...stepPart(ladder, row, facts),
    element("h2", {}, "Network"), ...networkPart(facts),
    element("h2", {}, "Training"),
    element("div", { class: "columns" },
      chart("Test accuracy by epoch, every seed", (width) => curvesSpec({ [rung]: facts.curves }, "accuracy", width)),
      chart("Test loss by epoch, every seed", (width) => curvesSpec({ [rung]: facts.curves }, "loss", width))),
    element("p", { class: "faint" }, "Thin lines are seeds, the thick one is their mean. ", `Last epochs: ${row.accuracies.map((value) => number(value)).join(", ")} %.`),
    table("Recipe", ["what", "how"], facts.recipe.map((row) => row.map(words))),
    element("details", {}, element("summary", {}, "The card, as it is written"), element("pre", { tabindex: 0 }, facts.card)),
    element("h2", {}, "What is taken for what"), confusionPart(ladder, facts, row.seeds),
    element("h2", {}, `Misread ${ladder.things}`), misreadPart(ladder, facts, row, writers),
  ];
}

function stepPart(ladder, row, facts) {
  const set = ladder.name, { against } = row;
  if (!against) return [];
  if (!ladder.rows.some((one) => one.rung === against)) {
    return [element("h2", {}, "The step"), element("p", {}, `It is from ${against}, which was not trained on ${ladder.title}.`)];
  }
  const points = (value) => value != null && `${number(value)} points`;
  const others = [
    [`for new seeds and ${ladder.others}`, interval(row.new_writers_low, row.new_writers_high)],
    ["up or down, it is smaller than", points(row.step_margin)],
    ["p-value", chance(row.step_p)],
    ["q-value, among all steps of the ladder", chance(row.step_q)],
  ].filter(([, value]) => value);
  return [
    element("h2", {}, "The step"),
    element("p", {}, "From ", element("a", { href: `#/${set}/rung/${against}` }, against), ": ",
      row.step_verdict ? [verdict(row.step_verdict), `, ${number(row.step_change, 2, "+")} points ${interval(row.step_low, row.step_high)}. `] : "not compared yet. ",
      element("a", { href: `#/${set}/compare/${against}/${row.rung}` }, "Both side by side.")),
    others.length > 0 && table("More on the step", ["more on the change", ""], others),
    element("ul", {}, facts.changes.map((change) => element("li", {}, words(change)))),
  ];
}

function confusionPart(ladder, facts, seeds) {
  const names = ladder.classes;
  const counts = names.map(() => names.map(() => 0));
  for (const [, label, predictions] of facts.misread) for (const prediction of predictions) counts[label][prediction] += 1 / seeds;
  const most = Math.max(...counts.flat(), 1e-9);
  const cell = (count) => {
    const made = element("td", {}, count ? number(count, 1) : "");
    if (count) made.style.background = `color-mix(in srgb, var(--bar) ${Math.round((60 * count) / most)}%, transparent)`;
    return made;
  };
  return element("div", { class: "wide", role: "region", tabindex: 0, "aria-label": "Misread images by label and reading" },
    element("table", { class: "confusion" },
      element("caption", { class: "faint" }, "Misread images, mean of the seeds. Rows: what it is; columns: what it was read as."),
      element("thead", {}, element("tr", {}, element("td"), names.map((name) => element("th", { scope: "col" }, name)))),
      element("tbody", {}, counts.map((row, label) => element("tr", {}, element("th", { scope: "row" }, names[label]), row.map(cell))))));
}

/** Return how often what each kind of people made is misread, where that is known. */
function kindsOf(ladder, row) {
  const kinds = Object.entries(row).filter(([key, value]) => key.startsWith("misread_") && value != null);
  return kinds.length ? `Misread are ${kinds.map(([key, value]) => `${number(value)} % of the ${ladder.things} by ${key.slice(8)}`).join(" and ")}.` : "";
}

function misreadPart(ladder, facts, row, writers) {
  const { seeds } = row;
  const found = [...misreadBy(facts.misread).values()].sort((a, b) => b.predictions.length - a.predictions.length || a.image - b.image);
  const digits = found.map(({ image, label, predictions }) => ({
    image, text: [`${ladder.classes[label]} read as ${ladder.classes[mostly(predictions)]}`, `by ${predictions.length} of ${seeds} seeds`] }));
  const all = found.filter((one) => one.predictions.length === seeds).length;
  return element("div", {},
    element("p", {}, kindsOf(ladder, row)),
    element("p", {}, `${whole(found.length)} images were misread by one seed or more, ${whole(all)} of them by all ${seeds}.`),
    pictureList(ladder, digits, writers));
}
