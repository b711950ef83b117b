"""Dropout's draw: only what is dropped is drawn. How: kernels/draws.c."""

import ctypes
import functools
import itertools
import operator

import numpy as np
import torch

from ladder.lanes.addresses import address
from ladder.lanes.build import library

COLUMN_BITS = 10  # as in kernels/draws.c
COLUMNS = 1 << COLUMN_BITS
FAR = COLUMNS - 1
ONE = 1 << 32  # probabilities of distances are integers out of this
FULL = ONE // COLUMNS  # what a column holds
LEAST_P = 1 / 1024


def dropped(p: float, elements: int, generator: np.random.BitGenerator) -> torch.Tensor:
    """Return the places of what dropout with probability p drops of `elements` elements: int64, ascending.

    p is in [1/1024, 1). The probability of each distance between two places is exact to 2**-32.
    """
    if not LEAST_P <= p < 1:
        raise ValueError(f"dropout draws with a probability from 1/1024 to below 1, not with {p}")
    expected = elements * p
    room = min(int(expected + 12 * expected**0.5 + 12), elements)  # twelve standard deviations more: never too little
    places = torch.empty(room, dtype=torch.int64)
    bits = generator.ctypes
    count = _kernel()(
        address(places, torch.int64), _columns(p).ctypes.data, bits.next_uint64, bits.state, elements, room
    )
    return places[:count]


@functools.cache
def _kernel():
    kernel, pointer, number = library().draw_dropped, ctypes.c_void_p, ctypes.c_int64
    kernel.argtypes, kernel.restype = (pointer, pointer, pointer, pointer, number, number), number
    return kernel


@functools.cache
def _columns(p):
    """Return uint32 [COLUMNS]: the table of kernels/draws.c for probability p.

    Walker's tables as M. D. Vose makes them (1991, doi:10.1109/32.92917), with integers: columns with too little to
    fill them take the rest from those with too much.
    """
    numerator, denominator = p.as_integer_ratio()
    powers = itertools.accumulate(itertools.repeat(denominator - numerator, FAR), operator.mul, initial=ONE)
    survival = [power // denominator**distance for distance, power in enumerate(powers)]
    amounts = [nearer - farther for nearer, farther in itertools.pairwise(survival)] + [survival[FAR]]
    shares, others = [FULL] * COLUMNS, list(range(COLUMNS))
    poor = [column for column in range(COLUMNS) if amounts[column] < FULL]
    rich = [column for column in range(COLUMNS) if amounts[column] >= FULL]
    while poor:
        column, giver = poor.pop(), rich[-1]
        shares[column], others[column] = amounts[column], giver
        amounts[giver] -= FULL - amounts[column]
        if amounts[giver] < FULL:
            poor.append(rich.pop())
    # a full column may say all but one of its numbers, since the rest is its own as well
    return np.array(
        [min(share, FULL - 1) * COLUMNS + other for share, other in zip(shares, others, strict=True)], np.uint32
    )
