"""Test images moved, and without the mislabelled ones."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from ladder import cards

if TYPE_CHECKING:
    from torch import Tensor

MOVED = {"shifted by up to 2 pixels": {"translate": 2}, "turned by up to 10°": {"degrees": 10.0}}
ALL_IMAGES, WELL_LABELLED = "all test images", "without the {} mislabelled"


def views(images: "Tensor", labels: "Tensor", mislabelled: Sequence[int] = ()) -> dict[str, tuple["Tensor", "Tensor"]]:
    """Return {column: (images, labels)} of the test images: all, without the mislabelled ones if any, and moved.

    images: uint8 tensor [N, C, S, S]; labels: uint8 tensor [N]; mislabelled: indices. Each image moves by its own draw,
    the same for every rung.
    """
    import torch

    from ladder.cards.augmentations import augment
    from ladder.lanes.draws import generator

    by_column = {ALL_IMAGES: (images, labels)}
    if mislabelled:
        kept = torch.ones(len(labels), dtype=torch.bool)
        kept[list(mislabelled)] = False
        by_column[WELL_LABELLED.format(len(mislabelled))] = images[kept], labels[kept]
    for column, how in MOVED.items():
        by_column[column] = augment(images, [cards.Affine(**how)], generator("moved")), labels
    return by_column
