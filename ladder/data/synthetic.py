"""Made-up images, for trials that must not need data."""

import torch

from ladder.cards import CLASSES
from ladder.data.splits import Split
from ladder.lanes.draws import generator, uniform

GROUPS = torch.tensor([0] * 3 + [1] * 5 + [2] * 7)  # of every 15 images; sizes that add up to any even number


def synthetic_digits(count: int) -> Split:
    """Return a Split of `count` images: a bright bar, its place by class, on noise. Its groups are small."""
    labels, index = torch.arange(count) % CLASSES, torch.arange(count)
    noise = uniform(count * 28 * 28, generator("synthetic")) * 64
    images = noise.to(torch.int64).view(count, 1, 28, 28)
    rows = torch.arange(28).view(1, 1, 28, 1)
    images[((rows - 4) // 2 == labels.view(-1, 1, 1, 1)).expand_as(images)] += 128
    groups = index // len(GROUPS) * 3 + GROUPS[index % len(GROUPS)]
    return Split(images.to(torch.uint8), labels.to(torch.uint8), groups.to(torch.int32), (groups % 2).to(torch.uint8))
