"""Print a hash of every operation that a run computes with, and of short runs: one line each.

    python -m benchmarks.bits > here.txt        # portable bits; --native for this processor's own, --quick for a part
    diff benchmarks/bits.txt here.txt           # the first line names processor and torch; no other should differ

Every distinct layer of every rung stands alone here, on inputs made from integers, so a line that differs names
the operation at fault. What was compared so far: benchmarks/portability.md.
"""

import argparse
import hashlib
import platform
from pathlib import Path

from ladder import cards, machine

IMAGES = 128
# SGD, Adam, softmax twice, L1 and tanh, depthwise, affine
RUNS = ("net9", "s7_final", "lenet5", "lenet5_l1", "part3", "sprint")
SHORT = 2  # epochs


def lines(rungs, runs):
    """Yield "<operation> <hash>" for the operations that `rungs` use, and for short `runs` (rung names)."""
    from ladder.training.run import set_up_torch

    set_up_torch()
    recipes = {rung: cards.resolve(rung) for rung in rungs}
    for part in (random_numbers, weights, augmentations, layers, losses, optimizers, sums):
        for name, tensors in part(recipes):
            yield f"{name} {hashed(tensors)}"
    for rung in runs:
        yield f"run of {SHORT} epochs, {rung} {short_run(rung)[:16]}"


def machine_line():
    """Return the line that says where the hashes are from."""
    import torch

    return f"{processor()}; torch {torch.__version__}; {torch.backends.cpu.get_cpu_capability()}"


def processor():
    """Return the processor's name, family and model: several models share a name."""
    path = Path("/proc/cpuinfo")
    lines = path.read_text(encoding="utf-8").splitlines() if path.exists() else []
    facts = dict(line.replace("\t", "").split(": ", 1) for line in reversed(lines) if ": " in line)
    if "model name" not in facts:
        return platform.machine()
    return f"{facts['model name']}, family {facts.get('cpu family')} model {facts.get('model')}"


def hashed(tensors):
    """Return 16 hexadecimal digits for the bytes of tensors."""
    digest = hashlib.sha256()
    for tensor in tensors:
        digest.update(tensor.detach().contiguous().numpy().tobytes())
    return digest.hexdigest()[:16]


def numbers(*shape, seed=0):
    """Return float32 numbers in [-2, 2) of 20 random bits: exact, so that their own making cannot differ."""
    import torch

    generator = torch.Generator().manual_seed(seed)
    return torch.randint(-(2**19), 2**19, shape, generator=generator).to(torch.float32) / 2**18


def random_numbers(recipes):
    """Yield (name, tensors) of what a run draws."""
    import torch

    from ladder.network.layers import BITS, bernoulli_indices

    generator = torch.Generator().manual_seed(0)
    yield "random permutation", [torch.randperm(60000, generator=generator)]
    yield (
        f"random integers of {BITS} bits",
        [torch.empty(10000, dtype=torch.int64).random_(2**BITS, generator=generator)],
    )
    yield "random float64", [torch.rand(10000, dtype=torch.float64, generator=generator)]
    for p in sorted({layer.p for recipe in recipes.values() for layer in recipe.network if layer.name == "dropout"}):
        yield f"dropped places p={p}", [bernoulli_indices(p, 2_800_000, generator)]


def weights(recipes):
    """Yield (name, tensors) of the weights that each rung starts with."""
    from ladder.network.build import build

    for rung, recipe in recipes.items():
        yield f"initial weights, {rung}", build(recipe, seed=0).state_dict().values()


def augmentations(recipes):
    """Yield (name, tensors) of how images are moved and resized, and of the float64 functions on the way."""
    import torch

    from ladder.data.augment import augment
    from ladder.data.synthetic import synthetic_digits
    from ladder.network.inference import normalise, prepare

    angles = torch.deg2rad(numbers(IMAGES).to(torch.float64) * 10)
    yield "sine and cosine, float64", [angles, torch.sin(angles), torch.cos(angles)]
    images, _ = synthetic_digits(IMAGES)
    seen = set()
    for rung, recipe in recipes.items():
        key = repr((recipe.input, recipe.augment))
        if key not in seen:
            seen.add(key)
            moved = augment(prepare(images, recipe), recipe.augment, torch.Generator().manual_seed(0))
            yield f"images as {rung} sees them", [moved, normalise(moved, recipe)]


def layers(recipes):
    """Yield (name, tensors) for the forward and backward pass of every distinct layer."""
    import torch

    from ladder.cards import layer_table
    from ladder.network.build import build
    from ladder.network.layers import NormReluDrop, draw_dropout

    seen = set()
    for recipe in recipes.values():
        model, table = build(recipe, seed=0), layer_table(recipe)
        draw_dropout(model, IMAGES, torch.Generator().manual_seed(0))
        for number, module in model.named_children():
            row = table[int(number.split("_")[0]) - 1]
            name = said(module, row)
            if name in seen:
                continue
            seen.add(name)
            outputs, gradients = passes(module, row.in_shape)
            yield f"{name}: forward", outputs
            yield f"{name}: backward", gradients
            if isinstance(module, NormReluDrop):
                yield f"{name}: eval", [module.eval()(as_maps(numbers(IMAGES, *row.in_shape)))]


def said(module, row):
    """Return a layer as its card says it, with what a normalisation takes in, and its input's shape."""
    parts = [row.layer.name, *(f"{k}={v}" for k, v in row.layer.model_dump(exclude_defaults=True).items())]
    if getattr(module, "relu", False):
        parts.append("relu")
    if row.layer.name == "batch_norm" and module.p:
        parts.append(f"dropout p={module.p}")
    return f"{' '.join(parts)} on {'x'.join(map(str, row.in_shape))}"


def passes(module, shape):
    """Return ([output and state], [gradients of input and weights]) of a module in train mode."""
    import torch

    with torch.no_grad():
        for seed, parameter in enumerate(module.parameters(), start=1):
            parameter.copy_(numbers(*parameter.shape, seed=seed) / max(parameter[0].numel(), 1) ** 0.5)
    x = as_maps(numbers(IMAGES, *shape)).requires_grad_()
    y = module(x.clone())  # a normalisation may overwrite what it is given
    gradient = as_maps(numbers(*y.shape, seed=9))
    gradients = torch.autograd.grad(y, [x, *module.parameters()], gradient)
    return [y, *module.buffers()], gradients


def as_maps(x):
    """Return maps [N, C, H, W] in the memory layout of a run; anything else as it is."""
    import torch

    return x.contiguous(memory_format=torch.channels_last) if x.ndim == 4 else x


def losses(recipes):
    """Yield (name, tensors) of each loss, at each batch size, with its gradient."""
    import torch

    kinds = {(recipe.loss.name, recipe.network[-1].name, recipe.batch_size): recipe for recipe in recipes.values()}
    for (loss, ending, count), recipe in kinds.items():
        scores = numbers(count, 10).requires_grad_()
        outputs = {"log_softmax": scores.log_softmax(-1), "softmax": scores.softmax(-1)}.get(ending, scores)
        value = recipe.loss.value(outputs, torch.arange(count) % 10)
        yield f"{loss} on {ending}, {count} images", [value, *torch.autograd.grad(value, scores)]


def optimizers(recipes):
    """Yield (name, tensors) of weights and optimizer state after five steps of each optimizer."""
    from ladder.network.build import build
    from ladder.training.optimizers import make_optimizer, state_of

    kinds = {}
    for rung, recipe in recipes.items():
        arguments = recipe.optimizer.model_dump(exclude_defaults=True).items()
        kind = f"{type(recipe.optimizer).__name__}({', '.join(f'{name}={value}' for name, value in arguments)})"
        kinds[kind] = (rung, recipe)
    for kind, (rung, recipe) in kinds.items():
        model = build(recipe, seed=0)
        optimizer = make_optimizer(recipe, model)
        for step in range(5):
            for parameter in model.parameters():
                parameter.grad = as_maps(numbers(*parameter.shape, seed=step)) / 100
            optimizer.step()
        yield f"{kind}, five steps of {rung}", [*model.parameters(), *state_of(model, optimizer).values()]


def sums(recipes):
    """Yield (name, tensors) of the sums that rows of metrics are made from."""
    import torch

    yield "sum of losses, float64", [numbers(469).to(torch.float64).sum()]
    yield "largest output", [numbers(IMAGES, 10).argmax(1)]


def short_run(rung):
    """Return the hash of a rung's first epochs in a miniature run: of its bits alone, not of torch's version."""
    from ladder.training.fingerprint import hash_miniature_run

    digest = hashlib.sha256()
    hash_miniature_run(cards.resolve(rung).model_copy(update={"epochs": SHORT}), digest)
    return digest.hexdigest()


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--native", action="store_true", help="without the caps that make the bits portable")
    parser.add_argument("--quick", action="store_true", help="only what net9 and lenet5 use, and a run of net9")
    options = parser.parse_args()
    machine.configure(portable=not options.native)
    print(machine_line())
    chosen = (["net9", "lenet5"], ["net9"]) if options.quick else (cards.rung_names(), RUNS)
    for line in lines(*chosen):
        print(line, flush=True)


if __name__ == "__main__":
    main()
