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
  const [, set = sets[0].name, view = "ladder", ...names] = location.hash.split("/").map(unescaped);
  return { set, view, names };
}

function unescaped(part) {
  try {
    return decodeURIComponent(part);
  } catch {
    return part; // a stray %, which no name has
  }
}

/** Return what a view shows. Throws an Error for an address that leads nowhere; names of rungs are the views' own. */
function viewOf({ set, view, names }) {
  if (![set, ...names].every((name) => /^[\w.-]+$/.test(name))) throw new Error("This address leads nowhere.");
  if (!sets.some((one) => one.name === set)) throw new Error(`This address leads nowhere: there is no data set ${set}.`);
  if (!Object.hasOwn(VIEWS, view)) throw new Error(`This address leads nowhere: there is no page ${view}.`);
  return VIEWS[view](set, ...names);
}

async function show() {
  const turn = ++shown;
  sets ??= await load("sets");
  const asked = route();
  let parts;
  try {
    parts = await viewOf(asked);
  } catch (error) {
    parts = [heading("This cannot be shown"), element("p", {}, error.message)];
  }
  if (turn !== shown) return;
  const held = document.activeElement?.name; // of a control that changed the address
  navigation(asked);
  main.replaceChildren(...parts.flat(Infinity).filter(Boolean));
  const title = main.querySelector("h1");
  document.title = `${title.textContent} – Digit Ladder`;
  if (turn > 1) moveFocus(title, held && document.querySelector(`select[name="${held}"], button[name="${held}"]`));
}

/** Let a screen reader go on at the title of what is new; but who has turned a control may go on turning it. */
function moveFocus(title, control) {
  if (!control) scrollTo(0, 0);
  (control || title).focus({ preventScroll: true });
  document.getElementById("told").textContent = control ? title.textContent : "";
}

function navigation({ set, view }) {
  if (!sets.some((one) => one.name === set)) set = sets[0].name;
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
