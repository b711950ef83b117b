"use strict";
// A page from a file may fetch nothing, so data comes as scripts: each calls received() with JSON, gzipped, in base64.

const loaded = new Map(); // name -> promise of its content
const arriving = new Map(); // name -> what to call with its text

/** Return a promise of the content of data/<name>.js. It is loaded once. */
function load(name) {
  if (!loaded.has(name)) {
    const text = new Promise((resolve) => arriving.set(name, resolve));
    loaded.set(name, loadScript(`data/${name}.js`).then(() => text).then(unpacked));
  }
  return loaded.get(name);
}

/** Called by the data scripts. */
function received(name, text) {
  arriving.get(name)(text);
}

/** Return a promise that a script has run. */
function loadScript(path) {
  return new Promise((resolve, reject) => {
    const script = document.createElement("script");
    script.src = path;
    script.onload = resolve;
    script.onerror = () => reject(new Error(`${path} is missing from the page's folder`));
    document.head.append(script);
  });
}

async function unpacked(text) {
  const stream = new Blob([bytesOf(text)]).stream().pipeThrough(new DecompressionStream("gzip"));
  return new Response(stream).json();
}

/** Return the Uint8Array that a base64 text stands for. */
function bytesOf(base64) {
  const letters = atob(base64);
  const bytes = new Uint8Array(letters.length);
  for (let i = 0; i < letters.length; i++) bytes[i] = letters.charCodeAt(i);
  return bytes;
}

/** Return the Float32Array that a base64 text stands for; numbers are little-endian, as in WebAssembly's memory. */
function floatsOf(base64) {
  return new Float32Array(bytesOf(base64).buffer);
}
