"""Made-up images, for trials that must not need data."""

import torch

from ladder.cards import CLASSES


def synthetic_digits(count):
    """Return uint8 images [count, 1, 28, 28] and labels [count]: a bright bar, its place by class, on noise."""
    labels = torch.arange(count) % CLASSES
    images = torch.randint(0, 64, (count, 1, 28, 28), generator=torch.Generator().manual_seed(0))
    rows = torch.arange(28).view(1, 1, 28, 1)
    images[((rows - 4) // 2 == labels.view(-1, 1, 1, 1)).expand_as(images)] += 128
    return images.to(torch.uint8), labels.to(torch.uint8)
