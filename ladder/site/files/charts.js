"use strict";
// Charts in Vega-Lite, the language of DVC's plots. Each has the table beside it as its equal for those who do not see.

const COLOURS = ["one", "two", "three", "four", "five", "six"];
const SHAPES = ["circle", "square", "triangle-up", "diamond", "triangle-down", "cross"];
const dark = matchMedia("(prefers-color-scheme: dark)");

let vegaLoaded;

/** A chart in its place in the page, drawn again for another width or colour scheme. */
class Chart {
  /** specOf: takes the width; onpick: called with the datum of a mark that is clicked. */
  constructor(place, specOf, onpick) {
    Object.assign(this, { place, specOf, onpick, width: 0 });
    this.drawing = element("div", { "aria-hidden": "true" }); // Vega gives it a role and a name; those of the place count
    place.append(this.drawing);
    this.onscheme = () => this.draw();
    dark.addEventListener("change", this.onscheme);
    this.sizes = new ResizeObserver(() => this.fit()); // which tells of the first width, too
    this.sizes.observe(place);
  }

  fit() {
    if (!this.place.isConnected) return this.end();
    const width = Math.max(this.place.clientWidth - 80, 200);
    clearTimeout(this.waiting);
    if (width === this.width) return;
    this.waiting = setTimeout(() => this.draw(), this.width && 100); // a window that is drawn wider changes often
    this.width = width;
  }

  async draw() {
    try {
      vegaLoaded ??= loadScript("vega.js");
      await vegaLoaded;
      this.view?.finalize();
      const spec = { $schema: "https://vega.github.io/schema/vega-lite/v6.json", ...this.specOf(this.width), config: looks() };
      this.view = new vega.View(vega.parse(vegaLite.compile(spec).spec), { renderer: "svg", container: this.drawing, hover: true });
      if (this.onpick) this.view.addEventListener("click", (_, item) => item?.datum?.rung && this.onpick(item.datum));
      await this.view.runAsync();
    } catch (error) {
      this.end();
      this.place.replaceWith(element("p", {}, error.message));
    }
  }

  end() {
    this.view?.finalize();
    this.sizes.disconnect();
    dark.removeEventListener("change", this.onscheme);
  }
}

function looks() {
  const [text, faint, line] = ["text", "faint", "line"].map(colour);
  return {
    background: "transparent", aria: false, font: "system-ui, sans-serif",
    axis: { labelColor: text, titleColor: text, gridColor: line, domainColor: faint, tickColor: faint, labelFontSize: 12, titleFontSize: 12 },
    legend: { labelColor: text, titleColor: text, labelFontSize: 12, labelLimit: 220, symbolOpacity: 1 },
    view: { stroke: null },
  };
}

function projectOf(row) {
  return row.project ? `project ${row.project}` : "own";
}

/** Return what a rung's mark says where a pointer rests on it. */
function meanInWords(row) {
  return [`${row.rung}: ${row.title}`, `${number(row.accuracy)} % ${interval(row.accuracy_low, row.accuracy_high)}`,
    `${row.seeds} seed${row.seeds > 1 ? "s" : ""}, ${whole(row.parameters)} parameters`].join("\n");
}

/** The rungs below `low`, as marks at the chart's edge: one for each place on the horizontal axis. by: as in ladderSpec. */
function belowMarks(rows, by, low) {
  const places = Map.groupBy(rows.filter((row) => row.accuracy < low), (row) => row[by]);
  return [...places.values()].map((found) => ({
    ...found[0], rung: found.length === 1 || by === "rung" ? found[0].rung : null,
    told: found.map((row) => `${row.rung}: ${number(row.accuracy)} %`).join("\n"),
    label: `← ${found.length === 1 ? number(found[0].accuracy) : `${found.length} rungs`}` })); // turned, so that it points down
}

/** The ladder: each rung's mean, its 95 % interval, every seed, and what was reported. by: "rung" or "parameters". */
function ladderSpec(rows, by, range, width) {
  const projects = [...new Set(rows.map(projectOf))];
  const means = rows.map((row) => ({ ...row, project: projectOf(row), told: meanInWords(row), told_reported: `${row.rung}: ${number(row.reported_test)} % reported` }));
  const seeds = means.flatMap((row) => row.accuracies.map((accuracy, seed) => ({
    rung: row.rung, project: row.project, parameters: row.parameters, accuracy, told: `${row.rung}, seed ${seed}: ${number(accuracy)} %` })));
  const x = by === "rung"
    ? { field: "rung", type: "nominal", sort: null, title: null, axis: { labelAngle: -50, labelLimit: 140, grid: true, gridOpacity: 0.4 } }
    : { field: "parameters", type: "quantitative", scale: { type: "log", nice: false, padding: 12 }, title: "parameters (logarithmic)" };
  const y = { type: "quantitative", scale: { domain: range, nice: false, zero: false }, title: "test accuracy, %" };
  const place = { width: by === "rung" ? Math.max(width, 24 * rows.length) : width, height: 340 };
  const hue = { field: "project", type: "nominal", sort: projects, scale: { domain: projects, range: COLOURS.map(colour) }, title: null, legend: { orient: "top", columns: width < 500 ? 2 : 6 } };
  const shape = { field: "project", type: "nominal", sort: projects, scale: { domain: projects, range: SHAPES }, title: null };
  const tooltip = { field: "told", type: "nominal" };
  return {
    ...place,
    layer: [
      { data: { values: means }, mark: { type: "rule", strokeWidth: 2, opacity: 0.55, clip: true }, encoding: { x, y: { ...y, field: "accuracy_low" }, y2: { field: "accuracy_high" }, color: hue } },
      { data: { values: seeds }, mark: { type: "point", filled: true, size: 14, opacity: 0.75, clip: true }, encoding: { x, y: { ...y, field: "accuracy" }, color: hue, tooltip } },
      { data: { values: means.filter((row) => row.reported_test != null) }, mark: { type: "point", filled: false, shape: "stroke", size: 160, strokeWidth: 2, clip: true }, encoding: { x, y: { ...y, field: "reported_test" }, color: { value: colour("text") }, tooltip: { field: "told_reported", type: "nominal" } } },
      { data: { values: belowMarks(means, by, range[0]) }, mark: { type: "text", angle: 270, align: "left", dx: 4, dy: -3, fontSize: 12, cursor: "pointer" }, encoding: { x, y: { ...y, datum: range[0] }, text: { field: "label" }, color: hue, tooltip } },
      { data: { values: means }, mark: { type: "point", filled: true, size: 70, opacity: 1, cursor: "pointer", clip: true }, encoding: { x, y: { ...y, field: "accuracy" }, color: hue, shape, tooltip } },
    ],
  };
}

/** Curves of all seeds of one or two rungs. curves: {rung: [seed, epoch, accuracy, loss]}; what: accuracy or loss. */
function curvesSpec(curves, what, width) {
  const rungs = Object.keys(curves);
  const column = what === "accuracy" ? 2 : 3;
  const values = rungs.flatMap((rung) => curves[rung].map((row) => ({ name: rung, seed: row[0], epoch: row[1], value: row[column] })));
  const sorted = values.map((row) => row.value).sort((a, b) => a - b);
  const part = (share) => sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))];
  const [low, high] = what === "accuracy" ? [part(0.12), sorted.at(-1)] : [sorted[0], part(0.88)];
  const margin = (high - low) * 0.06 || 0.05;
  const x = { field: "epoch", type: "quantitative", axis: { tickMinStep: 1, format: "d" }, scale: { nice: false, zero: false } };
  const y = { field: "value", type: "quantitative", scale: { domain: [Math.max(low - margin, 0), high + margin], nice: false, zero: false }, title: what === "accuracy" ? "test accuracy, %" : "test loss" };
  const hue = { field: "name", type: "nominal", sort: rungs, scale: { domain: rungs, range: COLOURS.map(colour) }, title: null, legend: rungs.length > 1 ? { orient: "top" } : null };
  return {
    width, height: 220, data: { values },
    layer: [
      { mark: { type: "line", strokeWidth: 1, opacity: 0.45, clip: true, point: { size: 8 } }, encoding: { x, y, color: hue, detail: { field: "seed" } } },
      { mark: { type: "line", strokeWidth: 3, clip: true }, encoding: { x, y: { ...y, aggregate: "mean" }, color: hue } },
    ],
  };
}

/** Return a place for a chart, which draws it once it is in the page and its width is known; else as a Chart. */
function chart(label, specOf, onpick) {
  const place = element("div", { class: "chart wide", role: "img", tabindex: 0, "aria-label": label });
  new Chart(place, specOf, onpick);
  return place;
}
