"""The training images that a run holds out: not trained on, but watched."""

import torch

from ladder.cards import CLASSES
from ladder.exceptions import LadderError
from ladder.lanes.draws import generator, permutation


def holdout_mask(labels, size):
    """Return bool [N], true for `size` images held out of training: size/10 of each class, always the same.

    Raises LadderError where a class has too few.
    """
    held = torch.zeros(len(labels), dtype=torch.bool)
    for label in range(CLASSES if size else 0):
        members = (labels == label).nonzero().flatten()
        if len(members) <= size // CLASSES:
            raise LadderError(
                f"holdout {size} wants {size // CLASSES} of the {len(members)} training images of a {label}"
            )
        held[members[permutation(len(members), generator("holdout", label))[: size // CLASSES]]] = True
    return held
