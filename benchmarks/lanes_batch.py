"""Time what a training step needs beside its layers: draws, augmentation, pixels, loss, optimizer.

    python -m benchmarks.lanes_batch
    DIGIT_LADDER_LANES_CPU=haswell python -m benchmarks.lanes_batch

A figure is the least of several repeats, in processor milliseconds of this one process, for a batch of 128 images.
"""

import time

import torch

from ladder import cards
from ladder.lanes import augment, draws, dropout, losses, network, optimizers, pixels, weights

BATCH = 128
ELEMENTS = 21_875  # that net9 has behind its dropouts, so 2.8 million a batch
AUGMENTATIONS = {
    "two rotations": [cards.Rotate(degrees=6.9, fill=1), cards.Rotate(degrees=15.0)],
    "crop of a tenth and rotation": [cards.CenterCrop(size=22, p=0.1), cards.Rotate(degrees=15.0, fill=1)],
    "affine": [cards.Affine(degrees=7.0, translate=1, scale=0.07, shear=7.0)],
    "affine that only translates": [cards.Affine(translate=1)],
}


def main():
    torch.set_num_threads(1)
    for name, action in actions():
        print(f"{name:50} {milliseconds(action):7.3f} ms")


def actions():
    """Yield (name, function without arguments)."""
    generator = draws.generator("benchmark")
    images = (draws.uniform(60_000 * 784, generator) * 256).to(torch.uint8).view(60_000, 1, 28, 28)
    picked, values = draws.permutation(60_000, generator)[:BATCH], pixels.pixel_values(0.1307, 0.3081)
    batch = images[picked]
    yield "a generator of its own", lambda: draws.generator(1, 2, 3)
    yield "order of 60,000 images, once an epoch", lambda: draws.permutation(60_000, generator)
    for p in (0.01, 0.05, 0.1):
        yield f"dropout's draw, p = {p}", lambda p=p: dropout.dropped(p, BATCH * ELEMENTS, generator)
    for name, steps in AUGMENTATIONS.items():
        yield name, lambda steps=steps: augment.augment(batch, steps, generator)
    yield "pixels picked, normalised, in lanes", lambda: pixels.normalise(images, picked, values)
    outputs = torch.randn(BATCH, 10, generator=torch.Generator().manual_seed(0)).requires_grad_()
    labels = torch.arange(BATCH) % 10
    for kind in losses.KINDS:
        yield f"loss {kind}, both ways", lambda kind=kind: lose(outputs, labels, kind)
    for name, make in (("SGD", optimizers.SGD), ("Adam", optimizers.Adam)):
        model = network.build(cards.resolve("net9"))
        weights.start(model, seed=0)
        optimizer = make(model.parameters(), 0.01)
        for parameter in model.parameters():
            parameter.grad = torch.zeros_like(parameter)
        yield f"a step of {name} on net9", optimizer.step


def lose(outputs, labels, kind):
    outputs.grad = None
    losses.loss_of(outputs, labels, kind)[0].backward()


def milliseconds(action, repeats=7, calls=50):
    """Return the least processor time of one call."""
    action()
    times = []
    for _ in range(repeats):
        start = time.process_time()
        for _ in range(calls):
            action()
        times.append((time.process_time() - start) / calls * 1e3)
    return min(times)


if __name__ == "__main__":
    main()
