"use strict";
// Which view an address shows: #/<data set>, .../rung/<rung>, .../compare/<rung>/<rung>, .../draw

const VIEWS = { ladder: ladderView, rung: rungView, compare: compareView, draw: drawView };
const main = document.getElementById("main");
let shown = 0; // counts, so that a view that comes late does not replace a later one
let sets;

function heading(text) {
  return element("h1", { tabindex: -1 }, text);
}

function route() {
  const [, set = sets[0].name, view = "ladder", ...names] = location.hash.split("/").map(decodeURIComponent);
  return { set, view, names };
}

async function show() {
  const turn = ++shown;
  sets ??= await load("sets");
  const { set, view, names } = route();
  let parts;
  try {
    if (![set, ...names].every((name) => /^[\w.-]+$/.test(name))) throw new Error("the address has no such name");
    if (!VIEWS[view]) throw new Error(`there is no page ${view}`);
    parts = await VIEWS[view](set, ...names);
  } catch (error) {
    parts = [heading("This cannot be shown"), element("p", {}, error.message)];
  }
  if (turn !== shown) return;
  navigation(set, view);
  main.replaceChildren(...parts.flat(Infinity).filter(Boolean));
  const title = main.querySelector("h1");
  document.title = `${title.textContent} – Digit Ladder`;
  if (turn > 1) {
    scrollTo(0, 0);
    title.focus({ preventScroll: true });
  }
}

function navigation(set, view) {
  const link = (to, text) => element("a", { href: `#/${set}${to === "ladder" ? "" : `/${to}`}`, "aria-current": view === to && "page" }, text);
  document.getElementById("nav").replaceChildren(link("ladder", "Ladder"), link("compare", "Compare two"), link("draw", "Draw a digit"),
    ...(sets.length > 1 ? [choice("Data", sets.map((one) => [one.name, one.title]), set, (name) => { location.hash = `#/${name}`; })] : []));
}

document.querySelector(".skip").addEventListener("click", (event) => {
  event.preventDefault(); // the address says which view is shown
  main.focus();
});
addEventListener("hashchange", show);
show();
