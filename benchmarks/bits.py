"""Print a hash of every operation that a run computes with, and of short runs: one line each.

    python -m benchmarks.bits > here.txt        # a minute; --quick: a part of the same lines, for an emulator
    diff benchmarks/bits.txt here.txt           # the first line says which machine it was; no other should differ

Every distinct block of layers of every rung stands alone here, on inputs made from integers, so a line that differs
names the operation at fault. What was compared so far: benchmarks/portability.md.
"""

import argparse
import ctypes
import hashlib
import math
import os
import platform
from collections.abc import Iterable, Iterator
from dataclasses import fields
from pathlib import Path
from unittest import mock

import torch
from torch import Tensor, nn

from ladder import cards
from ladder.cards import Recipe
from ladder.cards.augmentations import augment
from ladder.data.synthetic import synthetic_digits
from ladder.lanes import blocks, draws, losses, network, pixels
from ladder.lanes.addresses import address
from ladder.lanes.blocks import Block
from ladder.lanes.build import NATIVE, library
from ladder.lanes.dropout import dropped
from ladder.network.build import build
from ladder.network.inference import prepare
from ladder.portable_math import cosine, sine
from ladder.training import run

Named = Iterator[tuple[str, Iterable[Tensor]]]
CLASSES = cards.Images().classes
IMAGES = 37  # two whole blocks of 16 and a part of one
RUNS = ("net9", "s7_final", "lenet5", "lenet5_l1", "part3", "sprint", "champion")
QUICK = (("net9", "lenet5", "sprint"), ("sprint",))
SHORT, DIGITS, HELD_OUT = 2, 2000, 200  # of a short run: epochs, made-up images, and those held out, where any are
FUNCTIONS = ("exp", "log", "tanh", "erf", "sqrt")
ACTIVATIONS = {blocks.RELU: "relu", blocks.TANH: "tanh", blocks.GELU: "gelu", blocks.SILU: "silu"}
SAID = {
    "product": {blocks.CONV: "conv", blocks.LINEAR: "linear"},
    "before": ACTIVATIONS,
    "norm": {True: "batch_norm"},
    "after": ACTIVATIONS,
    "pool": {blocks.MAX_POOL: "max_pool", blocks.AVERAGE_POOL: "avg_pool"},
}


def lines(rungs: Iterable[str], runs: Iterable[str]) -> Iterator[str]:
    """Yield "<operation> <hash>" for the operations that `rungs` use, and for short `runs` (names of rungs)."""
    run.set_up_torch()
    recipes = {rung: cards.resolve(rung) for rung in rungs}
    for part in (random_numbers, functions, weights, images, layers, losses_and_gradients, optimizer_steps):
        for name, tensors in part(recipes):
            yield f"{name} {hashed(tensors)}"
    for rung in runs:
        yield f"run of {SHORT} epochs, {rung} {hashed(short_run(rung))}"


def machine_line() -> str:
    """Return the line that says where the hashes are from."""
    kernels = os.environ.get("DIGIT_LADDER_LANES_CPU") or NATIVE
    return f"{processor()}; {platform.system()} {platform.machine()}; kernels for {kernels}; torch {torch.__version__}"


def processor() -> str:
    """Return the processor's name, family and model: several models share a name."""
    path = Path("/proc/cpuinfo")
    lines = path.read_text(encoding="utf-8").splitlines() if path.exists() else []
    facts = dict(line.replace("\t", "").split(": ", 1) for line in reversed(lines) if ": " in line)
    if "model name" not in facts:
        return platform.processor() or platform.machine()
    return f"{facts['model name']}, family {facts.get('cpu family')} model {facts.get('model')}"


def hashed(tensors: Iterable[Tensor]) -> str:
    """Return 16 hexadecimal digits for the bytes of tensors."""
    digest = hashlib.sha256()
    for tensor in tensors:
        digest.update(tensor.detach().contiguous().numpy().tobytes())
    return digest.hexdigest()[:16]


def numbers(*shape: int, seed: int = 0) -> Tensor:
    """Return float32 numbers in [-2, 2) of 20 random bits: exact, so that their own making cannot differ."""
    integers = (draws.uniform(math.prod(shape), draws.generator("bits", seed)) * 2**20).floor() - 2**19
    return (integers / 2**18).to(torch.float32).view(shape)


def random_numbers(recipes: dict[str, Recipe]) -> Named:
    """Yield (name, tensors) of what a run draws."""
    generator = draws.generator("bits")
    yield "64 random bits, a thousand times", [torch.from_numpy(generator.random_raw(1000).view("int64"))]
    yield "random numbers, uniform", [draws.uniform(10_000, generator)]
    yield "random permutation of 60,000", [draws.permutation(60_000, generator)]
    modules = (module for recipe in recipes.values() for module in build(recipe, seed=0).modules())
    for p in sorted({module.p for module in modules if isinstance(module, network.Dropout)}):
        yield f"dropped places p={p}", [dropped(p, 2_800_000, draws.generator("dropped", p))]


def functions(recipes: dict[str, Recipe]) -> Named:
    """Yield (name, tensors) of the functions that kernels and schedules compute with."""
    x = numbers(10_000)
    for name in FUNCTIONS:
        y = torch.empty_like(x)
        of = x.abs() if name in ("log", "sqrt") else x * 8
        getattr(library(), f"{name}_forward")(address(y), address(of), ctypes.c_ssize_t(len(x) // blocks.LANES))
        yield f"{name} of float32", [y]
    half_turns = x.to(torch.float64) / 2
    yield "cosine and sine of float64", [cosine(half_turns), sine(half_turns)]
    for name, function in (("softmax", blocks.softmax), ("log_softmax", blocks.log_softmax)):
        scores = numbers(3, 10, 1, 1, blocks.LANES).requires_grad_()
        y = function(scores)
        yield f"{name} and its gradient", [y, *torch.autograd.grad(y, scores, numbers(*y.shape, seed=1))]


def weights(recipes: dict[str, Recipe]) -> Named:
    """Yield (name, tensors) of the weights that each rung starts with."""
    for rung, recipe in recipes.items():
        yield f"starting weights, {rung}", build(recipe, seed=0).state_dict().values()


def images(recipes: dict[str, Recipe]) -> Named:
    """Yield (name, tensors) of made-up images as rungs see them: resized, augmented, and then as numbers in lanes."""
    made_up = synthetic_digits(IMAGES).images
    yield "made-up images", [made_up]
    seen = set()
    for rung, recipe in recipes.items():
        key = repr((recipe.input, recipe.augment))
        if key in seen:
            continue
        seen.add(key)
        moved = augment(prepare(made_up, recipe), recipe.augment, draws.generator(rung))
        values = pixels.pixel_values(recipe.input.mean, recipe.input.std)
        yield f"images as {rung} sees them", [moved, pixels.normalise(moved, None, values)]


def layers(recipes: dict[str, Recipe]) -> Named:
    """Yield (name, tensors) for the passes of every distinct block of layers."""
    found = {}
    for recipe in recipes.values():
        found |= dict.fromkeys(blocks_of(build(recipe, seed=0), (1, recipe.input.size, recipe.input.size)))
    for block in found:
        forward, backward = passes(block)
        yield f"{said(block)}: forward", forward
        yield f"{said(block)}: backward", backward


def blocks_of(model: network.Lanes, shape: tuple[int, int, int]) -> list[Block]:
    """Return the blocks that a network comes down to, those of nested sequences too.

    shape: of its input, (channels, rows, columns).
    """
    found = []

    def noted(block: Block, x: Tensor, *others: object) -> Tensor:
        found.append(block)
        return x.new_zeros(len(x), *block.shape, blocks.LANES)

    with mock.patch.object(blocks, "run_block", noted):
        model(torch.zeros(1, *shape))
    return found


def said(block: Block) -> str:
    """Return a block in words: what it is made of, with all arguments but the usual ones, and its input's shape."""
    parts = []
    for field in fields(block)[3:]:  # behind the input's shape
        value = getattr(block, field.name)
        if value != field.default and not field.name.startswith("pool_"):
            parts.append(SAID[field.name][value] if field.name in SAID else f"{field.name}={value}")
    if block.pool:
        parts.append(f"{'x'.join(map(str, block.pool_kernel))} stride={block.pool_stride}")
    return f"{' '.join(parts)} on {block.channels}x{block.height}x{block.width}".replace(" p=", " dropout=")


def passes(block: Block) -> tuple[list[Tensor], list[Tensor]]:
    """Return what a block's passes give for made-up numbers.

    Forward: output, moving averages, output in eval mode. Backward: the gradients of input, weight, bias, gamma, beta.
    """
    channels = block.mapped[0]
    x = blocks.to_lanes(numbers(IMAGES, block.channels, block.height, block.width)).requires_grad_()
    weight = bias = norm = places = None
    if block.product:
        inputs = block.weights // block.out
        weight = (numbers(block.weights, seed=1) / 2 ** (inputs.bit_length() // 2)).requires_grad_()
        bias = numbers(channels, seed=2).requires_grad_()
    if block.norm:
        norm = nn.BatchNorm2d(channels, block.eps, block.momentum)
        with torch.no_grad():
            norm.weight.copy_(numbers(channels, seed=3))
            norm.bias.copy_(numbers(channels, seed=4))
    if block.p:
        places = dropped(block.p, IMAGES * math.prod(block.mapped), draws.generator("places"))
    y = blocks.run_block(block, x, IMAGES, weight, bias, norm, places)
    parameters = [x, *([weight, bias] if block.product else []), *(norm.parameters() if norm else [])]
    gradients = torch.autograd.grad(y, parameters, numbers(*y.shape, seed=5))
    evaluated = blocks.run_block(block, x, IMAGES, weight, bias, norm, training=False)
    return [y, *(norm.buffers() if norm else []), evaluated], list(gradients)


def losses_and_gradients(recipes: dict[str, Recipe]) -> Named:
    """Yield (name, tensors) of each loss, at each batch size, with its gradient."""
    kinds = {(recipe.loss.name, recipe.label_smoothing, recipe.batch_size) for recipe in recipes.values()}
    for name, smoothing, count in sorted(kinds):
        outputs = numbers(count, CLASSES).requires_grad_()
        objective, loss, _ = losses.loss_of(outputs, torch.arange(count) % CLASSES, name, smoothing)
        gradient = torch.autograd.grad(objective, outputs)
        smoothed = f", label smoothing {smoothing}" if smoothing else ""
        yield f"{name}{smoothed}, {count} images", [objective, torch.tensor(loss, dtype=torch.float64), *gradient]


def optimizer_steps(recipes: dict[str, Recipe]) -> Named:
    """Yield (name, tensors) of weights and optimizer state after five steps of each optimizer."""
    kinds = {}
    for recipe in recipes.values():
        arguments = recipe.optimizer.model_dump(exclude_defaults=True).items()
        kind = f"{recipe.optimizer.name}{''.join(f' {name}={value}' for name, value in arguments)}"
        kinds[f"{kind}, rate {recipe.learning_rate}"] = recipe
    for kind, recipe in kinds.items():
        parameters = [nn.Parameter(numbers(*shape)) for shape in ((12, 10, 3, 3), (12,), (10, 171))]
        optimizer = recipe.optimizer.make(parameters, recipe.learning_rate)
        for step in range(5):
            for parameter in parameters:
                parameter.grad = numbers(*parameter.shape, seed=step) / 128
            optimizer.step()
        states = [value for parameter in parameters for _, value in sorted(optimizer.state[parameter].items())]
        yield f"five steps of {kind}", [*parameters, *states]


def short_run(rung: str) -> Iterator[Tensor]:
    """Yield all tensors and results of each of a rung's first epochs on made-up digits."""
    recipe = cards.resolve(rung)
    recipe = recipe.model_copy(update={"epochs": SHORT, "holdout": HELD_OUT if recipe.holdout else 0})
    for epoch in run.epochs(recipe, synthetic_digits(DIGITS), seed=0):
        for values in (epoch.weights, epoch.optimizer):
            yield from (values[name] for name in sorted(values))
        yield torch.tensor([float(value) for value in epoch.row.values() if value is not None], dtype=torch.float64)


def main() -> None:
    """Print the line about the machine, then a line for each operation and run."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    rungs, runs = ", ".join(QUICK[0]), ", ".join(QUICK[1])
    parser.add_argument("--quick", action="store_true", help=f"only what {rungs} use, and a run of {runs}")
    chosen = QUICK if parser.parse_args().quick else (cards.rung_names(), RUNS)
    print(machine_line(), flush=True)
    for line in lines(*chosen):
        print(line, flush=True)


if __name__ == "__main__":
    main()
