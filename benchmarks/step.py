"""Time one training step: its layers, all that it does beside them, and its share of what the processor can do.

    python -m benchmarks.step [rung ...]
    DIGIT_LADDER_LANES_CPU=haswell python -m benchmarks.step [rung ...]

A figure is the least of several repeats, in processor time of this one process, on made-up digits. The share is that
of the core's measured peak of fused multiply-adds, over the arithmetic of all convolutions and linear layers.
"""

import argparse
import ctypes
import math
import time
from collections.abc import Callable, Iterable, Iterator
from functools import partial

import torch
from torch import Tensor

from ladder import cards
from ladder.cards import Recipe, layer_table
from ladder.cards.augmentations import augment
from ladder.cards.shapes import with_inside
from ladder.data.synthetic import synthetic_digits
from ladder.lanes import draws, losses, pixels
from ladder.lanes.blocks import kernels
from ladder.lanes.dropout import dropped
from ladder.lanes.network import draw_dropout
from ladder.network.build import build
from ladder.network.inference import prepare
from ladder.training import run
from ladder.training.optimizers import make_optimizer

RUNGS = ("net9", "s7_final", "part3", "sprint", "champion", "lenet5")
EPOCH = 60_000  # images
REPEATS = 15
PEAK_ROUNDS = 2_000_000
CLASSES = cards.Images().classes
BATCH, ELEMENTS = 128, 21_875  # net9's batch, and how many elements of an image its dropouts see: 2.8 million a batch
AUGMENTATIONS = {
    "two rotations": [cards.Rotate(degrees=6.9, fill=1), cards.Rotate(degrees=15.0)],
    "crop of a tenth and rotation": [cards.CenterCrop(size=22, p=0.1), cards.Rotate(degrees=15.0, fill=1)],
    "affine": [cards.Affine(degrees=7.0, translate=1, scale=0.07, shear=7.0)],
    "affine that only translates": [cards.Affine(translate=1)],
}


def laps(recipe: Recipe, images: Tensor, labels: Tensor) -> Iterator[Callable[[], None]]:
    """Yield functions without end, each of which trains as many batches as a run augments at once.

    images: uint8 [N, 1, 28, 28]; labels: uint8 [N]; N: at least run.AT_ONCE batches. What comes before a function is
    called is no part of its lap, but for the first one.
    """
    run.set_up_torch()
    images, labels = prepare(images, recipe), labels.to(torch.int64)
    model = build(recipe, seed=0)
    optimizer, generator = make_optimizer(recipe, model), draws.generator("benchmark")
    kernels()

    def train(several: Tensor) -> None:
        picked = augment(images.index_select(0, several), recipe.augment, generator)
        for batch, targets in zip(
            picked.split(recipe.batch_size), labels[several].split(recipe.batch_size), strict=True
        ):
            run.train_batch(recipe, model, optimizer, batch, targets, generator)

    size = run.AT_ONCE * recipe.batch_size
    while True:
        order = draws.permutation(len(images), generator)
        for several in order[: len(order) // size * size].split(size):
            yield partial(train, several)


def step_seconds(recipe: Recipe) -> dict[str, float]:
    """Return the least processor seconds of a step's forward and backward pass, and of all of it, with its draws."""
    images, labels, *_ = synthetic_digits(run.AT_ONCE * recipe.batch_size)
    whole = least(next(laps(recipe, images, labels))) / run.AT_ONCE
    model, generator = build(recipe, seed=0), draws.generator("benchmark")
    maps = prepare(images[: recipe.batch_size], recipe)
    x = pixels.normalise(maps, None, pixels.pixel_values(recipe.input.mean, recipe.input.std))
    draw_dropout(model, recipe.batch_size, generator)
    gradient = draws.uniform(recipe.batch_size * CLASSES, generator).to(torch.float32).view(-1, CLASSES)
    forward = least(lambda: model(x, recipe.batch_size))
    both = least(lambda: model(x, recipe.batch_size).backward(gradient))
    return {"forward": forward, "backward": both - forward, "all": whole}


def step_operations(recipe: Recipe) -> int:
    """Return the floating-point operations of a step's products: a pass forward, one to weights, one to inputs.

    The first layer has no pass to its input. A fused multiply-add counts as two.
    """
    products = [
        2 * (row.parameters - getattr(row.layer, "bias", True) * row.shape[0]) * math.prod(row.shape[1:])
        for row in with_inside(layer_table(recipe))
        if row.layer.name in ("conv", "linear")
    ]
    return recipe.batch_size * (3 * sum(products) - products[0])


def peak() -> float:
    """Return the most floating-point operations a second that this core did by fused multiply-adds alone."""
    lib = kernels()
    lib.peak.argtypes, lib.peak.restype = [ctypes.c_ssize_t, ctypes.c_float, ctypes.c_float], ctypes.c_float
    return PEAK_ROUNDS * lib.peak_operations() / least(partial(lib.peak, PEAK_ROUNDS, 0.5, 1.0))


def least(action: Callable[[], object], repeats: int = REPEATS, calls: int = 1) -> float:
    """Return the least processor seconds of one call, after one that does not count."""
    action()
    times = []
    for _ in range(repeats):
        start = time.process_time()
        for _ in range(calls):
            action()
        times.append((time.process_time() - start) / calls)
    return min(times)


def shares(rungs: Iterable[str]) -> tuple[float, dict[str, dict[str, float]]]:
    """Return (peak in operations a second, {rung: its figures}) of this process.

    The figures: "forward", "backward", "all": seconds a step; "epoch": seconds of all; "in layers", "share": of
    the peak, in the layers alone and in the whole step.
    """
    torch.set_num_threads(1)
    most, found = peak(), {}
    for rung in rungs:
        recipe = cards.resolve(rung)
        seconds, operations = step_seconds(recipe), step_operations(recipe)
        found[rung] = seconds | {
            "epoch": seconds["all"] * EPOCH / recipe.batch_size,
            "in layers": operations / (seconds["forward"] + seconds["backward"]) / most,
            "share": operations / seconds["all"] / most,
        }
    return most, found


def beside_the_layers() -> Iterator[tuple[str, Callable[[], object]]]:
    """Yield (name, function without arguments) of what a step of 128 images does beside its layers."""
    generator = draws.generator("benchmark")
    images = (draws.uniform(EPOCH * 784, generator) * 256).to(torch.uint8).view(EPOCH, 1, 28, 28)
    picked, values = draws.permutation(EPOCH, generator)[:BATCH], pixels.pixel_values(0.1307, 0.3081)
    batch = images[picked]
    yield "a generator of its own", partial(draws.generator, 1, 2, 3)
    yield "order of 60,000 images, once an epoch", partial(draws.permutation, EPOCH, generator)
    for p in (0.01, 0.05, 0.1):
        yield f"dropout's draw, p = {p}", partial(dropped, p, BATCH * ELEMENTS, generator)
    for name, steps in AUGMENTATIONS.items():
        yield name, partial(augment, batch, steps, generator)
    yield "pixels picked, normalised, in lanes", partial(pixels.normalise, images, picked, values)
    outputs = draws.uniform(BATCH * CLASSES, generator).to(torch.float32).view(BATCH, -1).requires_grad_()
    labels = torch.arange(BATCH) % CLASSES
    for kind in losses.KINDS:
        yield f"loss {kind}, both ways", lambda kind=kind: losses.loss_of(outputs, labels, kind)[0].backward()
    for optimizer in (cards.Sgd(momentum=0.9), cards.Adam()):
        model = build(cards.resolve("net9"), seed=0)
        for parameter in model.parameters():
            parameter.grad = torch.zeros_like(parameter)
        yield f"a step of {optimizer.name} on net9", optimizer.make(model.parameters(), 0.01).step


def main() -> None:
    """Print a line for each rung, then one for each thing beside the layers."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("rungs", nargs="*", default=RUNGS, metavar="rung", help=f"default: {', '.join(RUNGS)}")
    most, found = shares(parser.parse_args().rungs)
    print(f"peak of fused multiply-adds: {most / 1e9:.0f} GFLOP/s\n")
    heads = ("forward", "backward", "all", "an epoch", "layers of peak", "all of peak")
    print(f"{'rung':12}" + "".join(f"{head:>{max(len(head), 8) + 4}}" for head in heads))
    for rung, of in found.items():
        times = "".join(f"{of[name] * 1e3:9.2f} ms" for name in ("forward", "backward", "all"))
        print(f"{rung:12}{times}{of['epoch']:10.2f} s{of['in layers']:18.0%}{of['share']:15.0%}")
    print()
    for name, action in beside_the_layers():
        print(f"{name:40}{least(action, repeats=7, calls=50) * 1e3:9.3f} ms")


if __name__ == "__main__":
    main()
