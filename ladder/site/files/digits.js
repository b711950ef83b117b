"use strict";
// Pictures of test images, where the page was built with them, and what is said of a misread one.

const SIDE = 28, PIXELS = SIDE * SIDE; // of an image
const SHOWN = 48; // at first; a button shows the rest

const decoded = new Map(); // data set -> promise of its images

/** Return a promise of {images: Uint8Array, labels: Uint8Array} of a data set's test images. */
function testImages(set) {
  if (!decoded.has(set)) {
    decoded.set(set, load(`${set}/images`).then(({ images, labels }) => ({ images: bytesOf(images), labels: bytesOf(labels) })));
  }
  return decoded.get(set);
}

/** Paint an image, Uint8Array [PIXELS], onto a canvas of SIDE by SIDE. */
function paint(canvas, pixels) {
  const data = new ImageData(SIDE, SIDE);
  pixels.forEach((value, i) => data.data.set([value, value, value, 255], 4 * i));
  canvas.getContext("2d").putImageData(data, 0, 0);
}

/** Return a Map of image -> {image, label, predictions: one for each seed that misread it} from the rows [image, label, predictions]. */
function misreadBy(rows) {
  return new Map(rows.map(([image, label, predictions]) => [image, { image, label, predictions }]));
}

/** Return the class that most of the seeds that misread an image took it for. */
function mostly(predictions) {
  const count = (value) => predictions.filter((other) => other === value).length;
  return predictions.reduce((best, value) => (count(value) > count(best) ? value : best));
}

/** Return a list of pictures. ladder: of the data set; digits: [{image, text: [lines]}]. */
function pictureList(ladder, digits, writers) {
  const list = element("ul", { class: "digits" });
  const show = (some) => list.append(...some.map((digit) => picture(ladder, digit, writers)));
  show(digits.slice(0, SHOWN));
  if (digits.length <= SHOWN) return list;
  const more = element("button", { type: "button", onclick: () => { show(digits.slice(SHOWN)); more.remove(); } },
    `Show all ${whole(digits.length)}`);
  return element("div", {}, list, more);
}

function picture(ladder, digit, writers) {
  const canvas = ladder.pictures && element("canvas", { width: SIDE, height: SIDE, role: "img", "aria-label": `test image ${digit.image}` });
  if (canvas) testImages(ladder.name).then(({ images }) => paint(canvas, images.subarray(PIXELS * digit.image, PIXELS * (digit.image + 1))));
  return element("li", {}, canvas, ...[...digit.text, `image ${digit.image}`, writers[digit.image]]
    .filter(Boolean).map((line) => element("div", {}, line)));
}
