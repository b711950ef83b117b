"""Random augmentation of a batch."""

from collections.abc import Iterable
from typing import TYPE_CHECKING

from ladder.cards.augmentations import Augmentation

if TYPE_CHECKING:
    from torch import Generator, Tensor


def augment(images: "Tensor", steps: Iterable[Augmentation], generator: "Generator") -> "Tensor":
    """Return a batch of uint8 images [N, 1, S, S] augmented by a Recipe's `augment` steps, in their order.

    Every image draws its own parameters from `generator`, on the images' device.
    """
    for step in steps:
        images = step(images, generator)
    return images
