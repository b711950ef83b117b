"""What each layer of a network sees: output shape, receptive field, parameters. Plain arithmetic, no torch."""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ladder.cards.operations import Operation, Shape
from ladder.exceptions import LadderError

if TYPE_CHECKING:
    from ladder.cards.recipe import Recipe


@dataclass(frozen=True)
class Row:
    """One layer of a network.

    number: its number as people count it, "3", or "3.1" for the first layer inside layer 3.
    in_shape, shape: (channels, height, width), or (features,) after `flatten`, without the batch.
    receptive_field: side in input pixels, padding ignored, so it may exceed the image.
    jump: distance in input pixels between neighbouring outputs.
    parameters: trainable ones, with those of the layers inside. inside: the rows of a sequence within this layer.
    """

    number: str
    layer: Operation
    in_shape: Shape
    shape: Shape
    receptive_field: int
    jump: int
    parameters: int
    inside: tuple["Row", ...] = ()


def layer_table(recipe: "Recipe") -> list[Row]:
    """Return a Row for each layer of a Recipe's network. Raises LadderError where shapes do not fit."""
    images, size = recipe.images, recipe.input.size
    try:
        rows = list(_rows(recipe.network, (images.channels, size, size), field=1, jump=1))
    except ValueError as error:
        raise LadderError(f"rung {recipe.name}: {error}") from None
    if rows[-1].shape != (images.classes,):
        raise LadderError(
            f"rung {recipe.name}: the network ends in shape {rows[-1].shape}; it must end in ({images.classes},), "
            f"one number a class of {recipe.data}, for images of {size} × {size} pixels"
        )
    return rows


def with_inside(rows: list[Row] | tuple[Row, ...]) -> Iterator[Row]:
    """Yield all rows, each followed by those inside it."""
    for row in rows:
        yield row
        yield from with_inside(row.inside)


def parameters(recipe: "Recipe") -> int:
    """Return the number of trainable parameters of a Recipe's network."""
    return sum(row.parameters for row in layer_table(recipe))


def work(recipe: "Recipe") -> int:
    """Return the relative cost of a training on a CPU: multiplications, and 10 for each number written to memory.

    That weighs the rungs as they were timed on one core, within a factor of 1.3.
    """
    return recipe.epochs * sum(_work(row) for row in with_inside(layer_table(recipe)))


def _work(row: Row) -> int:
    own = 0 if row.inside else row.parameters
    return own * math.prod(row.shape[1:]) + 10 * math.prod(row.shape)


def _rows(layers: list[Operation], shape: Shape, field: int, jump: int, prefix: str = "") -> Iterator[Row]:
    """Yield the Rows of a sequence whose input is a map of `shape`; receptive fields by arXiv:1704.06904."""
    for position, layer in enumerate(layers, start=1):
        number = f"{prefix}{position}"
        inside = tuple(_rows(layer.inside, shape, field, jump, f"{number}."))
        try:
            out_shape, count = layer.out_shape(shape), layer.parameters(shape)
        except ValueError as error:
            raise ValueError(f"layer {number}, {layer.name}: {error}") from None
        if inside:
            field, jump = inside[-1].receptive_field, inside[-1].jump
        else:
            reach, stride = layer.window(shape)
            field, jump = field + reach * jump, jump * stride
        yield Row(number, layer, shape, out_shape, field, jump, count, inside)
        shape = out_shape
