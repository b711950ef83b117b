"use strict";
// The ladder: a chart with every seed, and a table to sort.

const TABLE = [ // columns: title, what to sort by, what to show; a column without any value is left out
  { title: "rung", key: (row) => row.order, cell: rungCell },
  { title: "accuracy, %", key: (row) => row.accuracy, cell: (row) => folded(number(row.accuracy), interval(row.accuracy_low, row.accuracy_high)), numeric: true },
  { title: "± (seeds)", key: (row) => row.accuracy_sd, cell: (row) => `${number(row.accuracy_sd)} (${row.seeds})`, numeric: true, from: "desk" },
  { title: "parameters", key: (row) => row.parameters, cell: (row) => whole(row.parameters), numeric: true, from: "tablet" },
  { title: "change", key: (row) => row.step_change, cell: (row) => folded(number(row.step_change, 2, "+"), interval(row.step_low, row.step_high)), numeric: true, from: "tablet" },
  { title: "verdict", key: (row) => row.step_verdict, cell: (row) => folded(verdict(row.step_verdict), row.step_verdict && `from ${row.against}`, "tablet") },
  { title: "train − test", key: (row) => row.gap, cell: (row) => number(row.gap), numeric: true, from: "desk" },
  { title: "project", key: (row) => row.project ?? "", cell: (row) => row.project ?? "own", from: "desk" },
  { title: "reported, %", key: (row) => row.reported_test, cell: (row) => folded(number(row.reported_test), row.reported_verdict ?? ""), numeric: true, from: "tablet" },
]; // from: the narrowest screen that has room for it
const CROWD = [98.2, 99.7]; // percent, where most rungs of MNIST are

/** Return the row of a rung. Throws an Error where the ladder has none of that name. */
function rowOf(ladder, rung) {
  const row = ladder.rows.find((one) => one.rung === rung);
  if (!row) throw new Error(`This address leads nowhere: ${ladder.title} has no rung ${rung}.`);
  return row;
}

/** Say of a rung that seeds of it collapsed. `whose` begins the sentence. Return false where none did. */
function collapsedNote(row, whose = "") {
  return row.collapsed_seeds > 0 && element("p", { class: "note" },
    `${whose}${row.collapsed_seeds} of the ${row.seeds} seeds collapsed: they misread at least half of the images of one class.`);
}

function rungCell(row) {
  return folded(element("a", { href: `#/${row.set}/rung/${row.rung}` }, row.rung), row.title);
}

/** Return a cell of two lines: a value, and what is to be known about it. from: the narrowest screen with both. */
function folded(value, about, from = "") {
  return [value, about && element("div", { class: `faint ${from}` }, about)];
}

async function ladderView(set) {
  const ladder = await load(`${set}/ladder`);
  const rows = ladder.rows.map((row, order) => ({ ...row, order, set }));
  const best = rows.reduce((a, b) => (b.accuracy > a.accuracy ? b : a));
  return [
    heading(`${ladder.title}: ${rows.length} rungs`),
    element("p", {}, "A rung is a step in making a small image classifier better. Each is trained from several random seeds. ",
      element("a", { href: `#/${set}/rung/${best.rung}` }, best.rung),
      ` reads most: ${number(best.accuracy)} % of ${whole(ladder.images)} test images, with ${whole(best.parameters)} parameters.`),
    behindNote(ladder),
    ...ladderChart(rows, set),
    ...recordsPart(ladder),
    element("h2", { id: "table-title" }, "All rungs"),
    element("p", { class: "faint" }, "In brackets: 95 % intervals. A change is in points of accuracy, from the rung that stands under the verdict."),
    ...sortedTable(rows),
    element("p", { class: "faint" }, ladder.licence),
  ];
}

function behindNote(ladder) {
  if (!ladder.behind.length) return null;
  const others = ladder.rows.map((row) => row.rung).filter((rung) => !ladder.behind.includes(rung));
  const which = ladder.behind.length === 1 ? ladder.behind[0] : !others.length ? "all rungs"
    : others.length < ladder.behind.length ? `${ladder.behind.length} of ${ladder.rows.length} rungs, all but ${others.join(", ")},`
      : ladder.behind.join(", ");
  return element("p", { class: "note" }, `The reports of ${which} are of an earlier version of this project. They stand until ${ladder.behind.length > 1 ? "these rungs are" : "this rung is"} trained again.`);
}

function ladderChart(rows, set) {
  const state = { by: "rung", range: "crowd" };
  const shown = rows.flatMap((row) => [...row.accuracies, row.accuracy_low, row.accuracy_high, row.reported_test]).filter((value) => value != null);
  const [lowest, highest] = [Math.min(...shown), Math.max(...shown)], margin = Math.max((highest - lowest) * 0.05, 0.1);
  const inCrowd = rows.filter((row) => row.accuracy > CROWD[0]).length > rows.length / 2;
  const range = () => (inCrowd && state.range === "crowd" ? CROWD : [Math.max(lowest - margin, 0), Math.min(highest + margin, 100)]);
  const holder = element("div");
  const show = () => holder.replaceChildren(chart("Test accuracy of each rung. The table below has the same numbers.",
    (width) => ladderSpec(rows, state.by, range(), width), (datum) => { location.hash = `#/${set}/rung/${datum.rung}`; }),
    belowNote(rows, set, range()[0]));
  const change = (key) => (value) => { state[key] = value; show(); };
  show();
  return [
    element("h2", {}, "Every seed"),
    element("div", { class: "controls" },
      choice("From left to right", [["rung", "rungs, step by step"], ["parameters", "parameters"]], state.by, change("by")),
      inCrowd && choice("Accuracy", [["crowd", `${CROWD[0]} to ${CROWD[1]} %`], ["all", "all"]], state.range, change("range"))),
    holder,
    element("p", { class: "faint" }, "Large marks are means, lines their 95 % intervals, small dots single seeds, dashes what a project reported. A mark opens its rung."),
  ];
}

/** Say which rungs and how many single seeds the chart's range leaves out. */
function belowNote(rows, set, low) {
  const rungs = rows.filter((row) => row.accuracy < low);
  const seeds = rows.filter((row) => row.accuracy >= low).flatMap((row) => row.accuracies).filter((accuracy) => accuracy < low);
  if (!rungs.length && !seeds.length) return "";
  const links = rungs.map((row, i) => [i ? ", " : "", element("a", { href: `#/${set}/rung/${row.rung}` }, row.rung), ` ${number(row.accuracy)}`]);
  const lone = seeds.length && `${seeds.length} single seed${seeds.length > 1 ? "s" : ""} of other rungs`;
  return element("p", { class: "below" }, `Below ${low} %, marked by arrows at the edge: `, links, lone && [rungs.length ? "; and " : "", lone], ".");
}

/** Who holds each record, and what would take it. */
function recordsPart(ladder) {
  if (!ladder.records.length) return [];
  const rows = ladder.records.map(({ title, holder, to_take }) => holder
    ? [phrase(title), [element("a", { href: `#/${ladder.name}/rung/${holder.rung}` }, holder.rung), `, ${holder.by}`], holder.since.replaceAll("-", "\u2011"), `${number(holder.accuracy)} (${holder.seeds})`,
      whole(holder.parameters), number(holder.seconds, 1), phrase(to_take)]
    : [phrase(title), "nobody yet", "", "", "", "", phrase(to_take)]);
  const head = ["record", "held by", "since", "accuracy, % (seeds)", "parameters", "seconds", "what would take it"];
  return [
    element("h2", {}, "Records"),
    table("Records", head, rows, [3, 4, 5]),
    ...ladder.records.filter((record) => record.doubt).map((record) => element("p", { class: "note" }, `In doubt, ${record.title}: ${record.doubt}.`)),
    element("p", { class: "faint" }, "What counts, and how to hand one in, is in the repository's ", element("code", {}, "docs/records.md"), "."),
  ];
}

/** Return a table whose headers are buttons that sort; aria-sort says how it is sorted. */
function sortedTable(rows) {
  const columns = TABLE.filter((column) => rows.some((row) => column.key(row) != null && column.key(row) !== ""));
  const kind = (column) => ({ class: [column.numeric && "number", column.from].filter(Boolean).join(" ") || false });
  const body = element("tbody");
  const heads = columns.map((column) => element("th", { scope: "col", ...kind(column) },
    element("button", { type: "button", onclick: () => sort(column) }, column.title)));
  let sorted = { column: columns[0], down: false };

  function sort(column) {
    const first = Boolean(column.numeric); // the largest first
    sorted = { column, down: sorted.column === column ? !sorted.down : first };
    fill();
  }
  function fill() {
    const { column, down } = sorted;
    heads.forEach((head, i) => columns[i] === column
      ? head.setAttribute("aria-sort", down ? "descending" : "ascending") : head.removeAttribute("aria-sort"));
    body.replaceChildren(...[...rows].sort((a, b) => inOrder(column.key(a), column.key(b), down)).map((row) =>
      element("tr", {}, columns.map((one, i) => element(i ? "td" : "th", { scope: i ? false : "row", ...kind(one) }, one.cell(row))))));
  }
  fill();
  const table = element("table", { class: "sorted" }, element("thead", {}, element("tr", {}, heads)), body);
  return [
    element("label", { class: "all-columns" }, element("input", { type: "checkbox", onchange: (event) => table.classList.toggle("all", event.target.checked) }), "All columns"),
    element("div", { class: "wide", role: "region", tabindex: 0, "aria-labelledby": "table-title" }, table),
  ];
}

/** Compare two values for a sort; what is missing comes last, whichever way. */
function inOrder(a, b, down) {
  const missing = (value) => value == null || value === "";
  if (missing(a) || missing(b)) return missing(a) - missing(b);
  const order = typeof a === "number" ? a - b : String(a).localeCompare(String(b));
  return down ? -order : order;
}
