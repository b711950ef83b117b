"use strict";
// A trained network, run by the kernels that trained it: ladder/lanes/kernels, compiled to WebAssembly. Sixteen images
// are computed side by side, as there. All bits are the same, since the sums run in the same order and WebAssembly's
// missing fused multiply-add is computed exactly.

const LANES = 16;
let compiled; // promise of the WebAssembly.Module

/** Return a promise of a Network that is ready to read. */
async function networkOf(set, rung) {
  compiled ??= load("kernels").then((text) => WebAssembly.compile(bytesOf(text)));
  const [module, packed] = await Promise.all([compiled, load(`${set}/networks/${rung}`)]);
  return new Network(await WebAssembly.instantiate(module), packed);
}

class Network {
  /** packed: see ladder/site/networks.py. All memory is laid out here, once. */
  constructor({ exports: kernels }, packed) {
    Object.assign(this, { kernels, packed, classes: packed.steps.findLast((step) => step.outputs).outputs });
    this.end = kernels.__heap_base.value;
    const numbers = floatsOf(packed.numbers), values = floatsOf(packed.values);
    const largest = Math.max(PIXELS, ...packed.steps.map((step) => step.outputs ?? 0));
    this.numbers = this.take(numbers.byteLength);
    this.values = this.take(values.byteLength);
    this.picked = this.take(8 * LANES);
    this.images = this.take(PIXELS * LANES);
    this.maps = [this.take(4 * LANES * largest), this.take(4 * LANES * largest)];
    this.structs = packed.steps.map((step) => step.block && this.take(bytesOf(step.block).length));
    this.fill(this.numbers, new Uint8Array(numbers.buffer));
    this.fill(this.values, new Uint8Array(values.buffer));
    this.fill(this.picked, new Uint8Array(BigInt64Array.from({ length: LANES }, (_, i) => BigInt(i)).buffer));
    packed.steps.forEach((step, i) => step.block && this.fill(this.structs[i], bytesOf(step.block)));
    const work = this.structs.filter(Boolean).map((struct) => kernels.block_work(struct));
    this.work = this.take(4 * Math.max(...work));
  }

  /** Return the address of so many bytes of memory, a multiple of 64. */
  take(bytes) {
    const at = Math.ceil(this.end / 64) * 64;
    this.end = at + bytes;
    const { memory } = this.kernels;
    const missing = Math.ceil((this.end - memory.buffer.byteLength) / 65536);
    if (missing > 0) memory.grow(missing);
    return at;
  }

  fill(at, bytes) {
    new Uint8Array(this.kernels.memory.buffer, at, bytes.length).set(bytes);
  }

  /** Return an array of probabilities for each image. images: Uint8Array [count * PIXELS], at most 16 of them. */
  read(images) {
    const count = images.length / PIXELS;
    this.fill(this.images, images);
    let [from, to] = this.maps;
    this.kernels.normalise(from, this.images, this.picked, this.values, count, 1, SIDE);
    this.packed.steps.forEach((step, i) => {
      if (step.function) this.kernels[`${step.function}_forward`](to, from, 1, this.classes);
      else this.block(this.structs[i], to, from, step.begins);
      [from, to] = [to, from];
    });
    const outputs = new Float32Array(this.kernels.memory.buffer, from, this.classes * LANES);
    return Array.from({ length: count }, (_, lane) =>
      this.probabilities(Array.from({ length: this.classes }, (_, i) => outputs[i * LANES + lane])));
  }

  block(struct, to, from, begins) {
    const at = (part) => (part in begins ? this.numbers + 4 * begins[part] : 0);
    this.kernels.block_forward(struct, to, 0, 0, from, at("weight"), at("bias"), at("gamma"), at("beta"), at("mean"), at("variance"), 0, 0, 0, this.work);
  }

  /** Return a network's outputs as probabilities, in double precision as the reports have them. */
  probabilities(outputs) {
    const last = this.packed.steps.at(-1).function;
    if (last === "softmax") return outputs;
    if (last === "log_softmax") return outputs.map(Math.exp);
    const most = Math.max(...outputs), powers = outputs.map((value) => Math.exp(value - most));
    const sum = powers.reduce((a, b) => a + b);
    return powers.map((value) => value / sum);
  }
}

/** Return the place of the largest value, the first of several. */
function largestOf(values) {
  return values.reduce((best, value, i) => (value > values[best] ? i : best), 0);
}

/** Return the lines "index,label,prediction,confidence" of the images that a network misreads, as errors.csv has them.
 *  onprogress: called with how many are done. The page stays alive meanwhile. */
async function misreadLines(network, { images, labels }, onprogress) {
  const lines = [];
  for (let first = 0, rested = performance.now(); first < labels.length; first += LANES) {
    const last = Math.min(first + LANES, labels.length);
    network.read(images.subarray(PIXELS * first, PIXELS * last)).forEach((probabilities, i) => {
      const [index, read] = [first + i, largestOf(probabilities)];
      if (read !== labels[index]) lines.push([index, labels[index], read, fourDecimals(probabilities[read])].join(","));
    });
    if (performance.now() - rested > 50) {
      onprogress(last);
      await new Promise((resolve) => setTimeout(resolve));
      rested = performance.now();
    }
  }
  return lines;
}

/** Return a number rounded to four decimals, as Python writes it: "0.5", "1.0". */
function fourDecimals(value) {
  const rounded = Math.round(value * 1e4) / 1e4;
  return Number.isInteger(rounded) ? rounded.toFixed(1) : String(rounded);
}
