"use strict";
// A network as a picture, block by block, and as a table, layer by layer.

const TALLEST = 84, WIDEST = 84; // CSS pixels, for the image's side and for the most channels that are told apart
const IMAGE = 36; // CSS pixels of the image in which a square shows what is seen

/**
 * Return a network as a list of blocks in their order, each with what it is, its output and the layers that follow it
 * without another map. A block is as high as its map, and as wide as the root of its channels. compact: small, without
 * what a block's outputs see of the image.
 */
function networkPicture({ image, layers }, compact = false) {
  const blocks = [{ name: "image", shape: image, then: [] }];
  for (const layer of layers) {
    if (layer.block) blocks.push({ ...layer, name: `${layer.number} ${briefly(layer.layer)}`, then: [] });
    else blocks.at(-1).then.push(words(layer.layer));
  }
  return element("ol", { class: compact ? "network compact" : "network" }, blocks.map(({ name, shape, field, then }) =>
    element("li", {}, blockOf(shape, image[1], compact ? 0.5 : 1),
      element("div", { class: "layer" }, name),
      element("div", {}, shape.join("×")),
      element("div", { class: "faint" }, then.join(", ")),
      element("div", { class: "sees" }, !compact && field != null && seen(field, image[1])))));
}

/** Return a layer's words without what its picture shows: "conv 3×3 stride 2". */
function briefly(layer) {
  return words(layer).replace(/ out \d+/, "").replace(/ kernel (\d+)/, " $1×$1");
}

/** Say and draw how much of the image an output sees. A field that exceeds the image ends at its side. */
function seen(field, side) {
  return [fieldOf(Math.min(field, side) / side), field < side ? `sees ${field}×${field}` : "sees all of it"];
}

function drawing(tag, attributes, ...children) {
  const made = document.createElementNS("http://www.w3.org/2000/svg", tag);
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  made.append(...children);
  return made;
}

/** Return the picture of a map [channels, rows, columns], or of features, on the line that leads through the network. */
function blockOf([channels, rows = 1], side, scale) {
  const height = scale * Math.max((TALLEST * rows) / side, 4);
  const width = scale * Math.min(6 * Math.sqrt(channels), WIDEST);
  return drawing("svg", { class: "block", "aria-hidden": "true", width: "100%", height: scale * TALLEST + 2 },
    drawing("line", { x1: 0, x2: "100%", y1: "50%", y2: "50%" }),
    drawing("rect", { x: "50%", y: "50%", width, height, transform: `translate(${-width / 2} ${-height / 2})` }));
}

/** Return the picture of a square, of this part of the image's side, in the image. */
function fieldOf(part) {
  const square = (side, kind) => drawing("rect", { class: kind, x: (IMAGE - side) / 2 + 1, y: (IMAGE - side) / 2 + 1, width: side, height: side });
  return drawing("svg", { "aria-hidden": "true", width: IMAGE + 2, height: IMAGE + 2 }, square(IMAGE, "whole"), square(part * IMAGE, "part"));
}

/** Return the picture, and the table of all layers, folded away. */
function networkPart(facts) {
  const { image: [, side], layers } = facts;
  const rows = layers.map(({ number, layer, shape, field, parameters }) =>
    [number, phrase(words(layer)), shape.join(" × "), String(Math.min(field, side)), parameters ? whole(parameters) : ""]);
  return [
    networkPicture(facts),
    element("p", { class: "faint" }, "A block is a layer's output: as high as its map, and the wider the more channels it has. The squares below show how much of the image one value of it sees."),
    element("details", {}, element("summary", {}, `All ${layers.length} layers as a table`),
      table("Network layer by layer", ["#", "layer", "output", `sees, of ${side} pixels`, "parameters"], rows, [0, 2, 3, 4])),
  ];
}
