"""Random numbers: everything that a run draws, the same on every machine.

The bits are those of NumPy's PCG64DXSM, which guarantees that a seed always gives the same integers
(numpy.org/doc/stable/reference/random/bit_generators/pcg64dxsm.html). What is made of the bits is made here, in
integers and exact arithmetic, since NumPy's own distributions may change.

A generator is made for a purpose, such as (seed, epoch, batch), and not kept from one purpose to the next. So a run
continues from any epoch without a generator's state.
"""

import hashlib

import numpy as np
import torch


def generator(*parts) -> np.random.PCG64DXSM:
    """Return the generator for a purpose: ints and short strings, such as (seed, "weights", "1_conv")."""
    digest = hashlib.sha256("/".join(map(str, parts)).encode()).digest()
    return np.random.PCG64DXSM(int.from_bytes(digest[:16], "little"))


def uniform(count: int, generator: np.random.BitGenerator) -> torch.Tensor:
    """Return float64 [count], multiples of 2**-53, each as likely as any other, in [0, 1)."""
    return torch.from_numpy((generator.random_raw(count) >> 11) * 2.0**-53)


def permutation(count: int, generator: np.random.BitGenerator) -> torch.Tensor:
    """Return 0 to count-1 as int64 [count] in random order: that of 64 random bits a number.

    Two of 60,000 draw the same bits, and so keep their order, once in ten billion times.
    """
    return torch.from_numpy(np.argsort(generator.random_raw(count), kind="stable"))
