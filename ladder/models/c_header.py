"""A trained model as a C header that needs nothing but C99: weights, a few short functions, and `NAME_predict`.

For microcontrollers and other programs. It allocates nothing: two static buffers are written in turn, and one more for
each level of residual connections.
"""

import ctypes
import math
import re
import tempfile
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

import numpy as np

from ladder.cards import Input, parameters
from ladder.compiler import compile_c
from ladder.lanes.build import CACHE
from ladder.lanes.resample import resize_weights
from ladder.models.layers import Trained, normalisation, not_exported, scale_and_shift, trained_layers
from ladder.models.prepare import FIELD
from ladder.models.weights import Model

LAYERS = Path(__file__).with_name("layers.c")
FLAGS = ("-O3", "-std=c99", "-Wall", "-Wextra", "-Werror", "-shared", "-fPIC", "-lm")
IN_PLACE = ("relu", "gelu", "silu", "tanh", "softmax", "log_softmax")
HEAD = """// {title}: reads one handwritten digit. Made by Digit Ladder from random seed {seed}; MIT license.
//
//     #include "{name}.h"
//     float probabilities[10];
//     {name}_predict(image, probabilities);   // unsigned char image[784]
//
// image: 28 rows of 28 grey pixels, the digit white (255) on black (0), fitted into a box of 20 x 20 pixels with its
// aspect ratio kept, and centred by its mass. probabilities: of the digits 0 to 9.
//
// {parameters} parameters; {constant} bytes of constants, {buffers} bytes of static buffers. Nothing is allocated. Not
// for two threads at once, since they would share the buffers. Needs C99{math}.
#ifndef {guard}
#define {guard}
"""


def c_header(model: Model) -> str:
    """Return a Model as the text of a C header. Raises LadderError for a word that has no export."""
    program = _Program(c_name(model.name))
    program.pixels(model.recipe.input)
    layers = trained_layers(model)
    program.sequence(layers[:-1] if layers[-1].word in ("softmax", "log_softmax") else layers)
    classes = model.recipe.images.classes
    program.call("softmax", program.at, classes)
    program.call("copy", program.at, "probabilities", classes)
    return program.text(model)


def c_name(rung: str) -> str:
    """Return a rung's name as C has names: "net-7.1" is net_7_1, "7" is net_7."""
    name = re.sub(r"\W", "_", rung, flags=re.ASCII)
    return name if name[0].isalpha() else f"net_{name}"


class _Program:
    """Constants, buffers and calls as they come.

    at: the buffer, a or b, that holds the last layer's output. sizes: {buffer: floats that it must hold}.
    """

    def __init__(self, name: str):
        self.name, self.at, self.depth = name, "a", 0
        self.constants, self.calls, self.used, self.sizes = [], [], set(), {"a": 0, "b": 0}
        self.constant_bytes, self.byte_buffers = 0, {}

    def constant(self, name: str, values: np.ndarray, kind: str = "float") -> str:
        """Add a constant array and return its name in C."""
        name = f"{self.name}_{name.replace('.', '_')}"
        self.constants.append(f"static const {kind} {name}[{values.size}] = {{\n{_listed(values, kind)}\n}};")
        self.constant_bytes += 4 * values.size
        return name

    def call(self, function: str, *arguments: str | int) -> None:
        """Add a call of a function in layers.c."""
        self.used.add(function)
        self.calls.append(f"{self.name}_{function}({', '.join(map(str, arguments))});")

    def into_other(self, function: str, size: int, *arguments: str | int) -> None:
        """Add a call that reads one buffer and writes `size` floats into the other one."""
        other = "b" if self.at == "a" else "a"
        self.sizes[other] = max(self.sizes[other], size)
        self.call(function, self.at, other, *arguments)
        self.at = other

    def pixels(self, given: Input) -> None:
        """Add what makes the first map of an image."""
        image, count = "image", given.size**2
        if given.size != FIELD:
            first, weights, taps = resize_weights(FIELD, given.size)
            names = [
                self.constant(f"resize_{key}", values.numpy(), "int")
                for key, values in (("first", first), ("weights", weights))
            ]
            image, self.byte_buffers = "resized", {"resized": count, "between": FIELD * given.size}
            self.call("resize", "image", image, *names, taps, FIELD, given.size, "between")
        mean, std = map(_float, normalisation(given))
        value = f"((float){image}[i] / 255.0f - {mean}) / {std}"
        self.calls.append(f"for (int i = 0; i < {count}; i++) a[i] = {value};")
        self.sizes["a"] = count

    def sequence(self, layers: Sequence[Trained]) -> None:
        """Add layers one after the other. Raises LadderError for a word that has no export."""
        for layer in layers:
            if layer.word in IN_PLACE:
                self.call(layer.word, self.at, math.prod(layer.row.shape))
            elif layer.word in _WORDS:
                _WORDS[layer.word](self, layer)
            else:
                raise not_exported(layer, "C")

    def text(self, model: Model) -> str:
        """Return the header."""
        buffers = [f"static float {name}[{size}];" for name, size in self.sizes.items() if size]
        buffers += [f"static unsigned char {name}[{size}];" for name, size in self.byte_buffers.items()]
        needs_math = self.used & {"gelu", "silu", "tanh", "softmax", "log_softmax"}
        head = HEAD.format(
            title=model.name,
            name=self.name,
            seed=model.seed,
            guard=f"DIGIT_LADDER_{self.name.upper()}_H",
            parameters=f"{parameters(model.recipe):,}",
            constant=f"{self.constant_bytes:,}",
            buffers=f"{4 * sum(self.sizes.values()) + sum(self.byte_buffers.values()):,}",
            math=" and its math library" if needs_math else "",
        )
        body = "\n".join(f"    {line}" for line in [*buffers, *self.calls])
        out = f"float probabilities[{model.recipe.images.classes}]"
        signature = f"void {self.name}_predict(const unsigned char image[{FIELD**2}], {out})"
        parts = [head + ("#include <math.h>\n" if needs_math else ""), *self.constants]
        parts += [*_functions(self.used, self.name), f"static inline {signature} {{\n{body}\n}}", "#endif"]
        return "\n\n".join(part.rstrip("\n") for part in parts) + "\n"


def _conv(program, layer):
    given, shape = layer.row.layer, layer.row.shape
    weight = program.constant(f"{layer.name}_weight", layer.weights["weight"])
    bias = program.constant(f"{layer.name}_bias", layer.weights["bias"]) if given.bias else "0"
    sizes = (*layer.row.in_shape[:2], *shape[:2])
    how = (given.kernel, given.stride, given.padding, given.dilation, given.groups)
    program.into_other("conv", math.prod(shape), weight, bias, *sizes, *how)


def _linear(program, layer):
    names = [program.constant(f"{layer.name}_{key}", layer.weights[key]) for key in ("weight", "bias")]
    program.into_other("linear", layer.row.shape[0], *names, layer.row.in_shape[0], layer.row.shape[0])


def _batch_norm(program, layer):
    values = zip(("scale", "shift"), scale_and_shift(layer.weights), strict=True)
    names = [program.constant(f"{layer.name}_{key}", array) for key, array in values]
    program.call("batch_norm", program.at, *names, layer.row.shape[0], math.prod(layer.row.shape[1:]))


def _pool(program, layer):
    given, (channels, side, _) = layer.row.layer, layer.row.in_shape
    kernel, stride = (side, 1) if layer.word == "global_avg_pool" else (given.kernel, given.stride or given.kernel)
    function = "max_pool" if layer.word == "max_pool" else "avg_pool"
    program.into_other(function, math.prod(layer.row.shape), channels, side, layer.row.shape[1], kernel, stride)


def _residual(program, layer):
    count = math.prod(layer.row.shape)
    program.depth += 1
    kept = f"kept_{program.depth}"
    program.sizes[kept] = max(program.sizes.get(kept, 0), count)
    program.call("copy", program.at, kept, count)
    program.sequence(layer.inside)
    program.call("add", kept, program.at, count)
    program.depth -= 1


def _nothing(program, layer):
    pass


_WORDS = {
    "conv": _conv,
    "linear": _linear,
    "batch_norm": _batch_norm,
    "max_pool": _pool,
    "avg_pool": _pool,
    "global_avg_pool": _pool,
    "dropout": _nothing,
    "flatten": _nothing,
    "residual": _residual,
}


def _functions(used: Iterable[str], name: str) -> list[str]:
    """Return those functions of layers.c that are used, in the order of the file, with the network's name."""
    parts = re.split(r"\n\n(?=// \w+: )", LAYERS.read_text(encoding="utf-8").rstrip())[1:]
    return [part.replace("NAME", name) for part in parts if part[3:].split(":")[0] in used]


def _listed(values, kind):
    """Return an array's values as C has them, eight a line."""
    texts = [_float(value) if kind == "float" else str(value) for value in values.reshape(-1)]
    return "\n".join(f"    {', '.join(texts[start : start + 8])}," for start in range(0, len(texts), 8))


def _float(value):
    """Return a number as a C constant: nine digits tell each float32 from all others."""
    text = f"{np.float32(value):.9g}"
    return f"{text}f" if any(mark in text for mark in ".en") else f"{text}.0f"


# --- compiled here, to compare --------------------------------------------------------------------------------------


def compiled(header: str, model: Model) -> Callable[[np.ndarray], np.ndarray]:
    """Return the function of a header, compiled: uint8 [N, 1, 28, 28] to float32 [N, 10].

    Raises LadderError where the compiler of the kernels refuses it.
    """
    name, classes = c_name(model.name), model.recipe.images.classes
    program = f"""{header}
void predict_all(const unsigned char *images, float *probabilities, int count) {{
    for (int i = 0; i < count; i++) {name}_predict(images + {FIELD**2} * i, probabilities + {classes} * i);
}}
"""
    with tempfile.TemporaryDirectory() as folder:
        source, library = Path(folder, "model.c"), Path(folder, "model.so")
        source.write_text(program)
        compile_c("the C header", [*FLAGS, str(source), "-o", str(library)], CACHE)
        loaded = ctypes.CDLL(str(library))

    def predict(images):
        images, out = np.ascontiguousarray(images), np.empty((len(images), classes), dtype=np.float32)
        loaded.predict_all(images.ctypes.data_as(ctypes.c_void_p), out.ctypes.data_as(ctypes.c_void_p), len(images))
        return out

    return predict
