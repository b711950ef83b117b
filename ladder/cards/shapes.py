"""What each layer of a network sees: output shape, receptive field, parameters. Plain arithmetic, no torch."""

import math
from dataclasses import dataclass

from ladder.cards.operations import (
    AvgPool,
    BatchNorm,
    Conv,
    Flatten,
    GlobalAvgPool,
    Linear,
    LogSoftmax,
    MaxPool,
    Softmax,
)
from ladder.exceptions import LadderError

CLASSES = 10


@dataclass(frozen=True)
class Row:
    """One layer of a network.

    in_shape, shape: (channels, height, width), or (features,) after `flatten`, without the batch.
    receptive_field: side in input pixels, padding ignored, so it may exceed the image.
    jump: distance in input pixels between neighbouring outputs.
    """

    layer: object
    in_shape: tuple
    shape: tuple
    receptive_field: int
    jump: int
    parameters: int


def layer_table(recipe):
    """Return a Row for each layer of a Recipe's network. Raises LadderError where shapes do not fit."""
    shape, field, jump = (1, recipe.input.size, recipe.input.size), 1, 1
    rows = []
    for number, layer in enumerate(recipe.network, start=1):
        try:
            row = _row(layer, shape, field, jump)
        except ValueError as error:
            raise LadderError(f"rung {recipe.rung}: layer {number}, {layer.name}: {error}") from None
        rows.append(row)
        shape, field, jump = row.shape, row.receptive_field, row.jump
    if shape != (CLASSES,):
        raise LadderError(f"rung {recipe.rung}: the network ends in shape {shape}; it must end in ({CLASSES},)")
    return rows


def parameters(recipe):
    """Return the number of trainable parameters of a Recipe's network."""
    return sum(row.parameters for row in layer_table(recipe))


def work(recipe):
    """Return the relative cost of a training on a CPU: multiplications, and 24 for each number written to memory.

    That weighs the rungs as they were timed on one core, within a factor of 1.7.
    """
    rows = layer_table(recipe)
    return recipe.epochs * sum(row.parameters * math.prod(row.shape[1:]) + 24 * math.prod(row.shape) for row in rows)


def _row(layer, shape, field, jump):
    """Return the Row that follows a map of `shape`, by arXiv:1603.07285 (shapes) and arXiv:1704.06904 (fields)."""
    if isinstance(layer, Linear):
        if len(shape) != 1:
            raise ValueError(f"its input has shape {shape}; flatten it first")
        return Row(layer, shape, (layer.out,), field, jump, (shape[0] + 1) * layer.out)
    if isinstance(layer, Softmax | LogSoftmax) and len(shape) != 1:
        raise ValueError(f"its input has shape {shape}; flatten it first")
    if isinstance(layer, Conv | MaxPool | AvgPool | GlobalAvgPool | BatchNorm | Flatten) and len(shape) != 3:
        raise ValueError(f"its input has shape {shape}, already flat")

    if isinstance(layer, Conv):
        channels = shape[0]
        if channels % layer.groups or layer.out % layer.groups:
            raise ValueError(f"groups {layer.groups} must divide {channels} channels in and {layer.out} out")
        count = channels // layer.groups * layer.kernel**2 * layer.out + layer.bias * layer.out
        reach = layer.dilation * (layer.kernel - 1)
        return _window(layer, shape, layer.out, reach, layer.stride, layer.padding, field, jump, count)
    if isinstance(layer, MaxPool | AvgPool):
        return _window(layer, shape, shape[0], layer.kernel - 1, layer.stride or layer.kernel, 0, field, jump, 0)
    if isinstance(layer, GlobalAvgPool):
        return Row(layer, shape, (shape[0], 1, 1), field + (shape[1] - 1) * jump, jump, 0)
    if isinstance(layer, Flatten):
        flat = (shape[0] * shape[1] * shape[2],)
        return Row(layer, shape, flat, field + (shape[1] - 1) * jump, jump, 0)
    return Row(layer, shape, shape, field, jump, 2 * shape[0] if isinstance(layer, BatchNorm) else 0)


def _window(layer, shape, channels, reach, stride, padding, field, jump, count):
    """Return the Row of a layer whose window spans `reach` + 1 inputs and moves by `stride`."""
    side = (shape[1] + 2 * padding - reach - 1) // stride + 1
    if shape[1] + 2 * padding <= reach:
        raise ValueError(f"its window of {reach + 1} does not fit on a map of {shape[1]} with padding {padding}")
    return Row(layer, shape, (channels, side, side), field + reach * jump, jump * stride, count)
