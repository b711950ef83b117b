"""A trained model as an ONNX graph: images in, class probabilities out.

The graph takes the pixels as they are, uint8 [N, 1, 28, 28], and resizes and normalises them itself, so that whoever
uses it need not know how. Operators: https://onnx.ai/onnx/operators/.
"""

from collections.abc import Callable, Sequence

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from ladder.lanes.resample import WEIGHT_BITS, resize_weights
from ladder.models.layers import Trained, normalisation, not_exported, scale_and_shift, trained_layers
from ladder.models.prepare import FIELD
from ladder.models.weights import Model

OPSET, IR = 20, 9  # the first opset with Gelu, and the version of the file format that came with it
IMAGES, PROBABILITIES = "images", "probabilities"


class _Graph:
    """Nodes and constants as they come; a value is meant by its name."""

    def __init__(self):
        self.nodes, self.constants = [], []

    def add(self, operator: str, *inputs: str, name: str | None = None, **attributes) -> str:
        """Add a node with one output and return that."""
        output = name or f"value_{len(self.nodes)}"
        self.nodes.append(helper.make_node(operator, inputs, [output], **attributes))
        return output

    def constant(self, name: str, value: np.ndarray | float, kind: type = np.float32) -> str:
        """Add a constant and return its name."""
        self.constants.append(numpy_helper.from_array(np.asarray(value, dtype=kind), name))
        return name


def onnx_model(model: Model) -> bytes:
    """Return a Model as an ONNX file: uint8 `images` [N, 1, 28, 28] to float32 `probabilities` [N, 10].

    Raises LadderError for a word that has no export.
    """
    graph = _Graph()
    x = _sequence(graph, trained_layers(model), _pixels(graph, model.recipe.input))
    _as_probabilities(graph, model.recipe.network[-1].name, x)
    made = helper.make_graph(
        graph.nodes,
        model.name,
        [helper.make_tensor_value_info(IMAGES, TensorProto.UINT8, ["N", 1, FIELD, FIELD])],
        [helper.make_tensor_value_info(PROBABILITIES, TensorProto.FLOAT, ["N", model.recipe.images.classes])],
        graph.constants,
    )
    whole = helper.make_model(made, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=IR)
    whole.producer_name = "digit-ladder"
    onnx.checker.check_model(whole, full_check=True)
    return whole.SerializeToString(deterministic=True)


def _pixels(graph, given):
    """Add what resizes and normalises the pixels. given: the recipe's Input."""
    pixels = IMAGES if given.size == FIELD else _resized(graph, given.size)
    x = graph.add("Cast", pixels, to=TensorProto.FLOAT)
    x = graph.add("Div", x, graph.constant("white", 255))
    mean, std = normalisation(given)
    x = graph.add("Sub", x, graph.constant("mean", mean))
    return graph.add("Div", x, graph.constant("std", std))


def _resized(graph, size):
    """Add what resizes images to the engine's pixels: columns, then rows, each rounded to a whole number.

    In float64, where the sums of pixels times weights, which have 22 binary digits, are exact.
    """
    matrix, half = _resize_matrix(FIELD, size), graph.constant("half", 0.5, np.float64)
    columns, rows = (
        graph.constant(f"resize_{key}", value, np.float64) for key, value in (("columns", matrix.T), ("rows", matrix))
    )
    x = graph.add("Cast", IMAGES, to=TensorProto.DOUBLE)
    x = graph.add("Floor", graph.add("Add", graph.add("MatMul", x, columns), half))
    return graph.add("Floor", graph.add("Add", graph.add("MatMul", rows, x), half))


def _resize_matrix(old, new):
    """Return float64 [new, old]: what each new pixel of a row is made of, as the engine's `resize` has it."""
    first, weights, taps = resize_weights(old, new)
    matrix = np.zeros((new, old))
    for row in range(new):
        matrix[row, first[row] : first[row] + taps] = weights[row].numpy() / 2**WEIGHT_BITS
    return matrix


def _sequence(graph: _Graph, layers: Sequence[Trained], x: str) -> str:
    for layer in layers:
        if layer.word not in _WORDS:
            raise not_exported(layer, "ONNX")
        x = _WORDS[layer.word](graph, layer, x)
    return x


def _as_probabilities(graph, last, x):
    """Add what turns the outputs of a network into probabilities. last: the word that it ends in."""
    if last == "softmax":
        graph.add("Identity", x, name=PROBABILITIES)
    elif last == "log_softmax":
        graph.add("Exp", x, name=PROBABILITIES)
    else:
        graph.add("Softmax", x, axis=1, name=PROBABILITIES)


def _weights(graph, layer, *keys):
    return [graph.constant(f"{layer.name}.{key}", layer.weights[key]) for key in keys if key in layer.weights]


def _conv(graph, layer, x):
    given = layer.row.layer
    return graph.add(
        "Conv",
        x,
        *_weights(graph, layer, "weight", "bias"),
        kernel_shape=[given.kernel] * 2,
        strides=[given.stride] * 2,
        pads=[given.padding] * 4,
        dilations=[given.dilation] * 2,
        group=given.groups,
    )


def _linear(graph, layer, x):
    return graph.add("Gemm", x, *_weights(graph, layer, "weight", "bias"), transB=1)


def _batch_norm(graph, layer, x):
    scale, shift = (values.reshape(-1, 1, 1) for values in scale_and_shift(layer.weights))
    scaled = graph.add("Mul", x, graph.constant(f"{layer.name}.scale", scale))
    return graph.add("Add", scaled, graph.constant(f"{layer.name}.shift", shift))


def _silu(graph, layer, x):
    return graph.add("Mul", x, graph.add("Sigmoid", x))


def _residual(graph, layer, x):
    return graph.add("Add", x, _sequence(graph, layer.inside, x))


def _as_it_is(graph, layer, x):
    return x


def _node(operator: str, **attributes) -> Callable:
    """Return the function for a word that is one operator without weights."""
    return lambda graph, layer, x: graph.add(operator, x, **attributes)


def _pool(operator):
    def add(graph, layer, x):
        given = layer.row.layer
        strides = [given.stride or given.kernel] * 2
        return graph.add(operator, x, kernel_shape=[given.kernel] * 2, strides=strides)

    return add


_WORDS = {
    "conv": _conv,
    "linear": _linear,
    "batch_norm": _batch_norm,
    "relu": _node("Relu"),
    "gelu": _node("Gelu"),
    "silu": _silu,
    "tanh": _node("Tanh"),
    "dropout": _as_it_is,
    "max_pool": _pool("MaxPool"),
    "avg_pool": _pool("AveragePool"),
    "global_avg_pool": _node("GlobalAveragePool"),
    "flatten": _node("Flatten", axis=1),
    "softmax": _node("Softmax", axis=1),
    "log_softmax": _node("LogSoftmax", axis=1),
    "residual": _residual,
}
