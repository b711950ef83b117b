"use strict";
// Draw a digit, and let networks read it; and let them read all test images again.

const PEN = 22; // of the pad's 280 pixels: as thick as MNIST's strokes once the digit is reduced

async function drawView(set) {
  const ladder = await load(`${set}/ladder`);
  if (!ladder.drawable) {
    const { name, title } = sets.find((one) => one.drawable);
    return [heading("Draw a digit"), element("p", {}, `The networks of this page read digits only, and ${ladder.title} has ${ladder.things}. `,
      element("a", { href: `#/${name}/draw` }, `Draw a digit for those of ${title}.`))];
  }
  if (!ladder.networks.length) {
    return [heading("Draw a digit"), element("p", {}, "This page was built without a trained network. `make repro` trains one; then `make page` again.")];
  }
  const reader = new Reader(set, ladder);
  return [
    heading("Draw a digit"),
    element("p", {}, "Draw one digit, large or small, anywhere. It is put into a box of 20 × 20 pixels and centred by its mass, as MNIST's digits were. Nothing leaves this page."),
    element("div", { class: "pad" }, reader.pad.canvas,
      element("div", {},
        element("div", { class: "controls" },
          element("button", { type: "button", onclick: () => reader.clear() }, "Clear"),
          ladder.pictures && element("button", { type: "button", onclick: () => reader.showTestImage() }, "Take a test image")),
        element("label", { class: "controls" }, element("span", {}, "Or open a picture of a digit"),
          element("input", { type: "file", accept: "image/*", class: "file", onchange: (event) => reader.open(event.target.files[0]) })),
        element("p", { class: "faint" }, "What the networks see:"), reader.seen)),
    ladder.networks.length > 1 && reader.chooser,
    element("p", { role: "status", id: "said" }, reader.said),
    reader.answers,
    ...checkPart(set, ladder),
  ];
}

/** Reads what is on the pad with the chosen networks. */
class Reader {
  constructor(set, ladder) {
    Object.assign(this, { set, ladder, image: null, chosen: new Set(ladder.networks.slice(0, 3).map((one) => one.rung)) });
    this.pad = new Pad(() => this.readPad());
    this.seen = element("canvas", { width: SIDE, height: SIDE, class: "seen", role: "img", "aria-label": "the digit as the networks see it" });
    this.said = element("span", {}, "Nothing is drawn yet.");
    this.answers = element("div", { class: "answers" });
    this.chooser = element("fieldset", {}, element("legend", {}, "Who reads"), ladder.networks.map(({ rung }) =>
      element("label", {}, element("input", { type: "checkbox", checked: this.chosen.has(rung), onchange: (event) => this.choose(rung, event.target.checked) }), rung)));
  }

  choose(rung, on) {
    this.chosen[on ? "add" : "delete"](rung);
    this.answer();
  }

  clear() {
    this.pad.clear();
    this.readPad();
  }

  async showTestImage() {
    const { images, labels } = await testImages(this.set);
    const index = Math.floor(Math.random() * labels.length);
    this.pad.clear();
    this.show(images.slice(PIXELS * index, PIXELS * (index + 1)), `Test image ${index}, labelled ${this.ladder.classes[labels[index]]}. `);
  }

  async open(file) {
    if (!file) return;
    try {
      this.pad.showPicture(await createImageBitmap(file));
      this.readPad();
    } catch {
      this.said.textContent = `${file.name} is no picture that this browser can read.`;
    }
  }

  readPad() {
    this.show(prepare(this.pad.pixels()), "");
  }

  show(image, about) {
    Object.assign(this, { image, about });
    paint(this.seen, image ?? new Uint8Array(PIXELS));
    this.answer();
  }

  async answer() {
    const { image } = this;
    if (!image) {
      this.answers.replaceChildren();
      this.said.textContent = "There is no digit to see yet.";
      return;
    }
    const asked = this.ladder.networks.filter(({ rung }) => this.chosen.has(rung));
    const networks = await Promise.all(asked.map(({ rung }) => kept(this.set, rung)));
    if (image !== this.image) return; // drawn on meanwhile
    const results = networks.map((network) => [network.packed, network.read(image)[0]]);
    this.answers.replaceChildren(...results.map(([packed, probabilities]) => answer(this.set, this.ladder, packed, probabilities)));
    const said = results.map(([{ rung }, probabilities]) =>
      `${rung} reads ${this.ladder.classes[largestOf(probabilities)]} (${number(100 * Math.max(...probabilities), 1)} %)`);
    this.said.textContent = `${this.about}${said.join("; ") || "No network is chosen to read it"}.`;
  }
}

const ready = new Map();

/** Return a promise of a network, which is made once. */
function kept(set, rung) {
  const key = `${set}/${rung}`;
  if (!ready.has(key)) ready.set(key, networkOf(set, rung));
  return ready.get(key);
}

function answer(set, ladder, packed, probabilities) {
  const bars = probabilities.map((value, i) => {
    const bar = element("i", { "aria-hidden": "true" });
    bar.style.width = `${100 * value}%`;
    return [element("dt", {}, ladder.classes[i]), element("dd", {}, bar), element("dd", {}, `${number(100 * value, 1)} %`)];
  });
  return element("section", { class: "answer", "data-rung": packed.rung },
    element("h2", {}, element("a", { href: `#/${set}/rung/${packed.rung}` }, packed.rung)),
    element("p", { class: "read" }, ladder.classes[largestOf(probabilities)]),
    element("dl", { class: "bars" }, bars),
    element("p", { class: "faint" }, `seed ${packed.seed}, ${whole(packed.parameters)} parameters, ${number(packed.accuracy)} % of the test images`));
}

/** A sheet of paper: white, drawn on in black by mouse, finger or pen. onstroke: called after each stroke. */
class Pad {
  constructor(onstroke) {
    this.canvas = element("canvas", { id: "pad", width: 280, height: 280, role: "img", "aria-label": "Drawing pad, for mouse or finger. With a keyboard, take a test image or open a picture." });
    this.pen = this.canvas.getContext("2d", { willReadFrequently: true });
    Object.assign(this.pen, { lineWidth: PEN, lineCap: "round", lineJoin: "round" });
    this.clear();
    this.canvas.addEventListener("pointerdown", (event) => {
      if (event.button) return;
      this.canvas.setPointerCapture(event.pointerId);
      this.last = this.at(event);
      this.line(this.last);
    });
    this.canvas.addEventListener("pointermove", (event) => {
      if (!this.last) return;
      for (const one of event.getCoalescedEvents?.() ?? []) this.line(this.at(one));
      this.line(this.at(event));
    });
    for (const end of ["pointerup", "pointercancel"]) this.canvas.addEventListener(end, () => {
      if (this.last) onstroke();
      this.last = null;
    });
  }

  at(event) {
    const box = this.canvas.getBoundingClientRect();
    return [((event.clientX - box.left) * this.canvas.width) / box.width, ((event.clientY - box.top) * this.canvas.height) / box.height];
  }

  line(to) {
    this.pen.beginPath();
    this.pen.moveTo(...this.last);
    this.pen.lineTo(...to);
    this.pen.stroke();
    this.last = to;
  }

  clear() {
    this.pen.fillStyle = "#fff";
    this.pen.fillRect(0, 0, this.canvas.width, this.canvas.height);
  }

  showPicture(bitmap) {
    this.clear();
    const scale = Math.min(this.canvas.width / bitmap.width, this.canvas.height / bitmap.height);
    this.pen.drawImage(bitmap, 0, 0, bitmap.width * scale, bitmap.height * scale);
  }

  pixels() {
    return this.pen.getImageData(0, 0, this.canvas.width, this.canvas.height);
  }
}

function checkPart(set, ladder) {
  if (!ladder.pictures) return [];
  const names = ladder.networks.map(({ rung }) => rung);
  let rung = names[0];
  const bar = element("progress", { max: ladder.images, value: 0, hidden: true, "aria-label": "Test images read" });
  const result = element("p", { role: "status", id: "check" });
  const button = element("button", { type: "button" }, `Read all ${whole(ladder.images)} test images`);
  button.addEventListener("click", async () => {
    button.disabled = true;
    bar.hidden = false;
    result.textContent = "Reading…";
    try {
      const began = performance.now();
      const [network, images] = await Promise.all([kept(set, rung), testImages(set)]);
      const lines = await misreadLines(network, images, (done) => { bar.value = done; });
      result.textContent = checked(network.packed, lines, images.labels.length, (performance.now() - began) / 1000);
    } catch (error) {
      result.textContent = error.message;
    }
    bar.hidden = true;
    button.disabled = false;
  });
  return [
    element("h2", {}, "The same numbers as in the reports"),
    element("p", {}, "The networks run here by the C code that trained them, compiled for the browser. So they misread the same test images, with the same confidence to the last digit that the reports keep. Try it: it takes from a few seconds to a minute."),
    element("div", { class: "controls" }, names.length > 1 && choice("Network", names.map((name) => [name, name]), rung, (name) => { rung = name; }), button, bar),
    result,
  ];
}

/** Return what is said of the lines that a network left, beside those that are committed. */
function checked({ rung, seed, expected }, lines, images, seconds) {
  const right = images - lines.length;
  const said = `${rung}, seed ${seed}: ${whole(right)} of ${whole(images)} read correctly, ${number((100 * right) / images)} %; ${lines.length} misread, in ${number(seconds, 1)} s. `;
  if (!expected) return `${said}The reports are of another version of this rung, so there is nothing to compare with.`;
  const differ = lines.filter((line) => !expected.includes(line)).length + expected.filter((line) => !lines.includes(line)).length;
  return said + (differ ? `${differ} lines differ from the committed ones.` : `All ${expected.length} lines are those of errors.csv: image, label, reading and confidence.`);
}
