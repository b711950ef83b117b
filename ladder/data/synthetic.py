"""Made-up images, for trials that must not need data."""

import math

import torch

from ladder.cards import Images
from ladder.data.splits import Split
from ladder.data.tensors import label_type
from ladder.lanes.draws import generator, uniform

DIGITS = Images()
GROUPS = torch.tensor([0] * 3 + [1] * 5 + [2] * 7)  # of every 15 images; sizes that add up to any even number


def synthetic_digits(count: int, kind: Images = DIGITS) -> Split:
    """Return a Split of `count` images: a bright bar, its place by class, on noise. Its groups are small.

    kind: what the images are; those of the default data set if nothing is said. Ten classes differ in their bars.
    """
    labels, index = torch.arange(count) % kind.classes, torch.arange(count)
    shape = (count, kind.channels, kind.side, kind.side)
    images = (uniform(math.prod(shape), generator("synthetic")) * 64).to(torch.uint8).view(shape)
    rows = torch.arange(kind.side).view(1, 1, -1, 1)
    images[((rows - 4) // 2 == labels.view(-1, 1, 1, 1) % 10).expand_as(images)] += 128
    groups = index // len(GROUPS) * 3 + GROUPS[index % len(GROUPS)]
    return Split(images, labels.to(label_type(kind.classes)), groups.to(torch.int32), (groups % 2).to(torch.uint8))
