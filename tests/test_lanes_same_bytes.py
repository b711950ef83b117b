"""What runs draw and compute beside their layers has the same bytes from kernels for every processor.

Here the processors are this one and, of its family, one with less: they differ in how wide vectors are and in whether
there is a fused multiply-add.
"""

import hashlib
import math
import platform

import pytest
import torch

from ladder import cards
from ladder.cards.augmentations import augment
from ladder.lanes import build, draws, dropout, losses, optimizers, pixels, resample

pytestmark = pytest.mark.slow

LESSER = ("haswell", "x86_64") if platform.machine().lower() in ("x86_64", "amd64") else ("generic",)
# These change only where every run's bytes change.
BATCHES = "e61673a93a651d3b7c7dcbecf603627ca2d92ac288df1cfe01a7d2f5fd9a84af"
STEPS = "111e9dbb8ddab39e3f0f260166a346b83eead8e0885a695d8ae7d15f45980be2"


def noise(*shape):
    return (draws.uniform(math.prod(shape), draws.generator("noise")) * 256).view(shape)


def batches():
    """Yield tensors: what the draws, the augmentations and the pixels of a run are."""
    generator = draws.generator("same bytes")
    for p in (1 / 1024, 0.1, 0.7):
        yield dropout.dropped(p, 20_000, generator)
    steps = [
        cards.CenterCrop(size=21, p=0.3),
        cards.Rotate(degrees=15.0, fill=1),
        cards.Affine(degrees=180.0, translate=3, scale=0.5, shear=45.0),
        cards.Affine(translate=2),
    ]
    for channels, side in ((1, 28), (3, 33)):
        images = augment(noise(50, channels, side, side).to(torch.uint8), steps, generator)
        yield images
        yield resample.resize(images, 40)
        yield pixels.normalise(images, None, pixels.pixel_values([0.1] * channels, [0.3] * channels))


def steps():
    """Yield tensors: the losses, gradients and weights of a linear layer that is trained."""
    for kind in losses.KINDS:
        for make in (lambda w: optimizers.SGD(w, 0.3, 0.9, 0.01, nesterov=True), lambda w: optimizers.Adam(w, 0.1)):
            weight = torch.nn.Parameter(noise(50, 11).to(torch.float32) / 20)
            labels = noise(50).to(torch.int64) % 11
            optimizer = make([weight])
            for _ in range(10):
                optimizer.zero_grad()
                objective, loss, _ = losses.loss_of(weight, labels, kind, 0.0 if kind == "l1" else 0.1)
                objective.backward()
                optimizer.step()
                yield from (objective.detach(), torch.tensor(loss, dtype=torch.float64), weight.grad, weight.detach())


def digest(tensors):
    total = hashlib.sha256()
    for tensor in tensors:
        total.update(tensor.contiguous().numpy().tobytes())
    return total.hexdigest()


@pytest.fixture
def kernels_of(monkeypatch):
    """Return a function that makes all modules call the kernels of a processor."""

    def choose(cpu):
        for module in (resample, dropout, losses, optimizers, pixels):
            monkeypatch.setattr(module, "library", lambda: build.library(cpu))
        dropout._kernel.cache_clear()

    yield choose
    dropout._kernel.cache_clear()


@pytest.mark.parametrize("made", [batches, steps])
def test_bytes_do_not_depend_on_the_processor(made, kernels_of):
    kernels_of(None)
    expected = digest(made())
    for cpu in LESSER:
        kernels_of(cpu)
        assert digest(made()) == expected, cpu


def test_bytes_are_the_known_ones():
    assert digest(batches()) == BATCHES
    assert digest(steps()) == STEPS
