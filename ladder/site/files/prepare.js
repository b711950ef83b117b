"use strict";
// Any picture of one digit, made as MNIST's images are. The steps are those of `python -m commands.predict`:
//
// 1. ink: how far a pixel's colour is from the background's, which is the median of the border, channel by channel
// 2. haze: three times the upper quartile of the border's ink is subtracted
// 3. box: the smallest that holds all pixels with a tenth or more of the strongest ink
// 4. reduced so that its longer side is 20, each new pixel the mean of what it covers
// 5. placed in 28 x 28 by whole pixels, its centre of mass in [13.5, 14.5), its strongest pixel 255

const FIELD = 28, INNER = 20, MIDDLE = 14;
const FAINT = 0.1, HAZE = 3, LEAST = 16 / 255;

/** Return a Uint8Array [784] of a picture (ImageData), or null where there is no digit to see. */
function prepare({ data, width, height }) {
  const edge = border(width, height);
  const ink = inkOf(data, width * height, edge);
  const haze = HAZE * quantile(edge.map((i) => ink[i]), 0.75);
  const strongest = ink.reduce((most, value, i) => Math.max(most, (ink[i] = Math.max(value - haze, 0))), 0);
  if (strongest < LEAST) return null;
  const box = boxOf(ink, width, height, FAINT * strongest);
  const longer = Math.max(box.width, box.height);
  const [wide, high] = [box.width, box.height].map((side) => Math.max(1, Math.floor((INNER * side) / longer + 0.5)));
  return place(reduce(ink, width, box, wide, high), wide, high);
}

/** Return the places of the outermost pixels; the corners count twice. */
function border(width, height) {
  const columns = Array.from({ length: width }, (_, x) => x), rows = Array.from({ length: height }, (_, y) => y);
  return [...columns, ...columns.map((x) => (height - 1) * width + x), ...rows.map((y) => y * width), ...rows.map((y) => y * width + width - 1)];
}

/** Return the quantile of numbers, linear between two of them. */
function quantile(values, share) {
  const sorted = Float64Array.from(values).sort();
  const at = share * (sorted.length - 1), low = Math.floor(at);
  return sorted[low] + (at - low) * ((sorted[low + 1] ?? sorted[low]) - sorted[low]);
}

/** Return each pixel's distance in colour from the background, 1 from black to white. Colours are times alpha. */
function inkOf(data, count, edge) {
  const value = (i, channel) => (channel === 3 ? 1 : data[4 * i + channel] / 255) * (data[4 * i + 3] / 255);
  const paper = [0, 1, 2, 3].map((channel) => quantile(edge.map((i) => value(i, channel)), 0.5));
  return Float64Array.from({ length: count }, (_, i) =>
    Math.sqrt(paper.reduce((sum, of, channel) => sum + (value(i, channel) - of) ** 2, 0) / 3));
}

function boxOf(ink, width, height, least) {
  let [left, top, right, bottom] = [width, height, -1, -1];
  for (let y = 0, i = 0; y < height; y++)
    for (let x = 0; x < width; x++, i++)
      if (ink[i] >= least) {
        left = Math.min(left, x); right = Math.max(right, x);
        top = Math.min(top, y); bottom = Math.max(bottom, y);
      }
  return { left, top, width: right - left + 1, height: bottom - top + 1 };
}

/** Return Float64Array [high * wide]: each pixel the mean of the part of the box that it covers. */
function reduce(ink, stride, box, wide, high) {
  const across = shares(box.width, wide), down = shares(box.height, high);
  const rows = down.map((weights) => Float64Array.from({ length: box.width }, (_, x) =>
    weights.reduce((sum, { at, share }) => sum + share * ink[(box.top + at) * stride + box.left + x], 0)));
  return Float64Array.from(rows.flatMap((row) =>
    across.map((weights) => weights.reduce((sum, { at, share }) => sum + share * row[at], 0))));
}

/** Return, for each of `count` new pixels in a row, the old ones that it covers and their shares in it. */
function shares(old, count) {
  return Array.from({ length: count }, (_, i) => {
    const [low, high] = [(i * old) / count, ((i + 1) * old) / count];
    const covered = [];
    for (let at = Math.floor(low); at < Math.min(Math.ceil(high), old); at++)
      covered.push({ at, share: (Math.min(high, at + 1) - Math.max(low, at)) * (count / old) });
    return covered;
  });
}

function place(digit, wide, high) {
  const field = new Uint8Array(FIELD * FIELD);
  const scale = 255 / digit.reduce((most, value) => Math.max(most, value), 0);
  const columns = new Float64Array(wide), rows = new Float64Array(high);
  digit.forEach((value, i) => { columns[i % wide] += value; rows[Math.floor(i / wide)] += value; });
  const left = start(columns), top = start(rows);
  digit.forEach((value, i) => { field[(top + Math.floor(i / wide)) * FIELD + left + (i % wide)] = value * scale + 0.5; });
  return field;
}

/** Return where a row of masses begins, so that its centre is in the middle of the field. */
function start(mass) {
  const centre = mass.reduce((sum, value, i) => sum + value * i, 0) / mass.reduce((sum, value) => sum + value, 0);
  return Math.min(Math.max(Math.ceil(MIDDLE - 0.5 - centre), 0), FIELD - mass.length);
}
