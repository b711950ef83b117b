"""Cosine and sine of sums and products alone, for floats and for float64 tensors.

IEEE 754 fixes the last bit of a sum and of a product, not that of a library's cosine: so these are the same on
every machine.
"""

import math
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from torch import Tensor

Number = TypeVar("Number", float, "Tensor")
TERMS = 14  # the next one is below 3e-16 at π


def cosine(half_turns: Number) -> Number:
    """Return cos(π x) for x in [-1, 1], to 2e-15: Taylor's series by Horner's rule."""
    square = half_turns * half_turns * (math.pi * math.pi)
    total = 1.0
    for n in range(2 * TERMS, 0, -2):
        total = 1.0 - total * (square * (1 / (n * (n - 1))))
    return total


def sine(half_turns: Number) -> Number:
    """Return sin(π x) for x in [-1, 1], to 2e-15, likewise."""
    square = half_turns * half_turns * (math.pi * math.pi)
    total = 1.0
    for n in range(2 * TERMS + 1, 1, -2):
        total = 1.0 - total * (square * (1 / (n * (n - 1))))
    return total * (half_turns * math.pi)
