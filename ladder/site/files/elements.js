"use strict";
// Elements and numbers, as all views write them.

/** Return an element. attributes: on... are listeners, a false or missing value leaves the attribute out. */
function element(tag, attributes = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name.startsWith("on")) made.addEventListener(name.slice(2), value);
    else if (value !== false && value != null) made.setAttribute(name, value === true ? "" : value);
  }
  made.append(...children.flat(Infinity).filter((child) => child != null && child !== false));
  return made;
}

/**
 * Return a value rounded to so many decimals, a half to the even digit, as ladder/evaluation/numbers.py rounds it.
 * toFixed alone decides by the binary number. What lies behind the ninth decimal does not count.
 */
function rounded(value, decimals) {
  const size = Number((Math.abs(value) * 10 ** decimals).toFixed(9 - decimals));
  const below = Math.floor(size), half = size - below === 0.5;
  return (Math.sign(value) * (half ? below + (below % 2) : Math.round(size))) / 10 ** decimals;
}

/** Return a number as text with so many decimals; "" for one that is missing. sign: "+" marks gains too. */
function number(value, decimals = 2, sign = "") {
  if (value == null) return "";
  const near = rounded(value, decimals);
  return (near < 0 ? "−" : near > 0 ? sign : "") + Math.abs(near).toFixed(decimals);
}

/** Return a p-value or q-value as text. */
function chance(value) {
  return value != null && value < 0.001 ? "< 0.001" : number(value, 3);
}

function whole(value) {
  return value == null ? "" : value.toLocaleString("en");
}

/** Return a card's words as people write them: "batch_norm" is "batch norm". */
function words(text) {
  return text.replaceAll("_", " ");
}

/** Return text for a table's cell that keeps room for a few words in a line. */
function phrase(text) {
  return element("span", { class: "phrase" }, text);
}

/** Return an interval as text, "" where there is none. An end that would round to 0 gets up to two decimals more. */
function interval(low, high, decimals = 2) {
  if (low == null) return "";
  const enough = [decimals, decimals + 1, decimals + 2].find((more) => rounded(low, more) && rounded(high, more)) ?? decimals;
  return `[${number(low, enough)}, ${number(high, enough)}]`;
}

/** Return a verdict as an element; its words carry the meaning, colour only repeats it. */
function verdict(text) {
  if (!text) return "";
  const kind = text.startsWith("better") ? "good" : text.startsWith("worse") ? "bad" : "";
  return element("span", { class: kind || false }, text);
}

/** Return a table of plain cells. head: texts; rows: arrays of text, numbers as text or elements. */
function table(caption, head, rows, numeric = []) {
  const kind = (column) => ({ class: numeric.includes(column) ? "number" : false });
  return element("div", { class: "wide", role: "region", tabindex: 0, "aria-label": caption },
    element("table", {},
      element("thead", {}, element("tr", {}, head.map((text, i) => (text === "" ? element("td") : element("th", { scope: "col", ...kind(i) }, text))))),
      element("tbody", {}, rows.map((row) => element("tr", {}, row.map((cell, i) => element("td", kind(i), cell)))))));
}

/** Return a labelled select, whose name is its label too. options: [[value, text]]. */
function choice(label, options, chosen, onchange) {
  const select = element("select", { name: label, onchange: () => onchange(select.value) },
    options.map(([value, text]) => element("option", { value, selected: value === chosen }, text)));
  return element("label", {}, label, select);
}

/** Return the colour that the style sheet gives a name, in the scheme of now. */
function colour(name) {
  return getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();
}
