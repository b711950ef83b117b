"""Time the layers of a training step in lanes: forward and backward, dropout's places given, nothing else.

    python -m benchmarks.lanes_step [rung ...]
    DIGIT_LADDER_LANES_CPU=haswell python -m benchmarks.lanes_step [rung ...]

A figure is the least of several repeats, in processor seconds of this one process; an epoch is 60,000 images. The
share is that of the processor's measured peak of fused multiply-adds, over the arithmetic of all convolutions and
linear layers.
"""

import ctypes
import math
import sys
import time

import torch

from ladder import cards
from ladder.cards import layer_table
from ladder.lanes import network
from ladder.lanes.blocks import kernels

REPEATS = 15


def main(rungs):
    torch.set_num_threads(1)
    peak = peak_gigaflops()
    print(f"peak {peak:.0f} GFLOP/s")
    for rung in rungs:
        recipe = cards.resolve(rung)
        forward, backward = step_seconds(recipe)
        batches = 60_000 / recipe.batch_size
        rate = step_operations(recipe) / (forward + backward) / 1e9
        print(
            f"{rung:12} batch {recipe.batch_size:4}: "
            f"forward {forward * 1e3:6.2f} ms, backward {backward * 1e3:6.2f} ms, "
            f"{(forward + backward) * batches:5.2f} s an epoch, {rate:4.0f} GFLOP/s, {rate / peak:4.0%} of the peak"
        )


def step_seconds(recipe):
    """Return the least processor seconds of a forward and of a backward pass over one batch."""
    generator = torch.Generator().manual_seed(0)
    net = network.build(recipe)
    size, images = recipe.input.size, recipe.batch_size
    x, g = torch.randn(images, 1, size, size, generator=generator), torch.randn(images, 10, generator=generator)
    for module in net:
        if isinstance(module, network.Dropout):
            dropped = torch.rand(images * module.elements, generator=generator) < module.p
            module.places = dropped.nonzero().flatten()
    times = []
    for _ in range(REPEATS):
        start = time.process_time()
        y = net(x)
        middle = time.process_time()
        y.backward(g)
        times.append((middle - start, time.process_time() - middle))
        for parameter in net.parameters():
            parameter.grad = None
    forward, backward = zip(*times, strict=True)
    return min(forward), min(backward)


def step_operations(recipe):
    """Return the floating-point operations of a step's products: a pass forward, one to weights, one to inputs."""
    rows = layer_table(recipe)
    products = [
        2 * (row.parameters - row.shape[0] * getattr(row.layer, "bias", True)) * math.prod(row.shape[1:])
        for row in rows
        if row.layer.name in ("conv", "linear")
    ]
    return recipe.batch_size * (3 * sum(products) - products[0])


def peak_gigaflops():
    """Return the most fused multiply-adds, counted as two operations, that the kernels' processor did in a second."""
    lib, rounds = kernels(), 2_000_000
    lib.peak.argtypes, lib.peak.restype = [ctypes.c_ssize_t, ctypes.c_float, ctypes.c_float], ctypes.c_float
    times = []
    for _ in range(10):
        start = time.process_time()
        lib.peak(rounds, 0.5, 1.0)
        times.append(time.process_time() - start)
    return rounds * lib.peak_operations() / min(times) / 1e9


if __name__ == "__main__":
    main(sys.argv[1:] or ["net9", "s7_final", "part3", "sprint", "champion", "lenet5"])
