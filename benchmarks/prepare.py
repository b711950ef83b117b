"""What a picture's preparation costs in accuracy: test images made into pictures of other kinds, prepared, read.

Usage:  python -m benchmarks.prepare            the model just trained
        python -m benchmarks.prepare champion   a published one
Reads:  data/sets/mnist/processed/test.safetensors, and the model: see commands.predict
Writes: nothing; benchmarks/prepare.txt is what it printed

Positions and noise are drawn from one random seed, so the figures come out again.
"""

import sys
from collections.abc import Callable, Iterator, Sequence

import numpy as np
import torch
from PIL import Image

from ladder.command import run_stage
from ladder.data.splits import read_split
from ladder.models import weights
from ladder.models.prepare import prepare

IMAGES = 2000
RED, GREEN = np.array((200, 30, 40)), np.array((40, 160, 60))
Picture = Callable[[np.ndarray, np.random.Generator], np.ndarray]  # uint8 [28, 28] to uint8 [height, width, 4]


def on_black(grey: np.ndarray) -> np.ndarray:
    """Return a grey image [height, width] as pixels, uint8 [height, width, 4]."""
    return np.asarray(Image.fromarray(grey.astype(np.uint8)).convert("RGBA"))


def coloured(share: np.ndarray) -> np.ndarray:
    """Return pixels, red on green; share: float [height, width], how much of a pixel is digit."""
    mixed = np.rint(share[..., None] * RED + (1 - share[..., None]) * GREEN).astype(np.uint8)
    return np.dstack([mixed, np.full(share.shape, 255, dtype=np.uint8)])


def resized(image: np.ndarray, side: int, kernel: str = "BICUBIC") -> np.ndarray:
    """Return an image with another side, by one of Pillow's kernels."""
    return np.asarray(Image.fromarray(image).resize((side, side), Image.Resampling[kernel]))


def somewhere(image: np.ndarray, side: int, rng: np.random.Generator) -> np.ndarray:
    """Return an image anywhere in a larger black one."""
    field, free = np.zeros((side, side), dtype=np.uint8), side - len(image)
    top, left = rng.integers(0, free, 2)
    field[top : top + len(image), left : left + len(image)] = image
    return field


def photographed(image: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Return pixels as a camera might give them: grey ink on white paper, in shade that falls off, with noise."""
    paper = 255 - 0.7 * somewhere(resized(image, 140), 200, rng) - np.linspace(0, 40, 200)[:, None]
    return on_black(np.clip(paper + rng.normal(0, 6, paper.shape), 0, 255))


PICTURES: dict[str, Picture] = {
    "as they are, and prepared": lambda image, rng: on_black(image),
    "black on white": lambda image, rng: on_black(255 - image),
    "5 × larger by whole pixels, black on white, anywhere": (
        lambda image, rng: on_black(255 - somewhere(resized(image, 140, "NEAREST"), 200, rng))
    ),
    "5 × larger, bicubic, black on white, anywhere": (
        lambda image, rng: on_black(255 - somewhere(resized(image, 140), 200, rng))
    ),
    "3.3 × larger, bicubic, red on green, anywhere": (
        lambda image, rng: coloured(somewhere(resized(image, 92), 150, rng) / 255)
    ),
    "8 × larger, black and white without grey, as NIST's were": (
        lambda image, rng: on_black(255 * (resized(image, 224) < 128))
    ),
    "5 × larger, on shaded paper with noise": photographed,
    "half as large": lambda image, rng: on_black(resized(image, 14, "BOX")),
}


def prepared(images: Sequence[np.ndarray], picture: Picture) -> torch.Tensor:
    """Return uint8 [N, 1, 28, 28]: each image made a picture, and that prepared."""
    rng = np.random.default_rng(0)
    return torch.from_numpy(np.stack([prepare(picture(image, rng)).image for image in images])).unsqueeze(1)


def lines(model: weights.Model, images: torch.Tensor, labels: torch.Tensor) -> Iterator[str]:
    """Yield the table, line by line. images: uint8 [N, 1, 28, 28]; labels: uint8 [N]."""

    def accuracy(seen):
        return 100 * (model.probabilities(seen).argmax(1) == labels).double().mean().item()

    plain = accuracy(images)
    yield f"{model.name}, seed {model.seed}: test images read correctly, of the first {len(images):,}, in percent"
    yield f"{'as they are':58}{plain:6.2f}"
    for name, picture in PICTURES.items():
        reached = accuracy(prepared(images[:, 0].numpy(), picture))
        yield f"{name:58}{reached:6.2f}  {reached - plain:+.2f}"


def main() -> None:
    test = read_split("test")
    for line in lines(weights.find(*sys.argv[1:2]), test.images[:IMAGES], test.labels[:IMAGES]):
        print(line, flush=True)


if __name__ == "__main__":
    run_stage("prepare", main)
