"""The training images that a run holds out: not trained on, but watched."""

import numpy as np
import torch

from ladder.data.splits import Split
from ladder.exceptions import LadderError
from ladder.lanes.draws import generator, permutation

STARTS = 20  # orders in which groups are taken: an exchange cannot always make up for an image too many
TRIED = 256  # groups on each side that an exchange is sought among: enough for 539 writers, and quick with 100,000
EXACT = 1000  # how much more an image too many weighs than a class that is out of balance


def holdout_mask(data: Split, size: int) -> torch.Tensor:
    """Return bool [N], true for `size` images held out of training, always the same.

    Where it is known who made the images, whole groups are held out, with as many images of each class as that allows:
    what is watched is then new, as a test image is. Elsewhere as many of each class are; of the first ones one more,
    where the classes do not divide `size`.
    Raises LadderError where that cannot be.
    """
    held = torch.zeros(len(data.labels), dtype=torch.bool)
    if size:
        choose = _of_classes if data.groups is None else _of_groups
        held[choose(data, size)] = True
    return held


def _of_classes(data, size):
    """Return the indices of as many images of each class as of any other, or of one more."""
    found, classes = [], _classes(data)
    for label in range(classes):
        members = (data.labels == label).nonzero().flatten()
        wanted = size // classes + (label < size % classes)
        if len(members) <= wanted:
            raise LadderError(
                f"holdout {size} wants {wanted} of the {len(members)} training images of class {label}; "
                "take a smaller holdout"
            )
        found.append(members[permutation(len(members), generator("holdout", label))[:wanted]])
    return torch.cat(found)


def _classes(data):
    """Return how many classes there are: training images have them all."""
    return int(data.labels.max()) + 1


def _of_groups(data, size):
    """Return the indices of the images of whole groups, `size` together."""
    groups = data.groups.unique(return_inverse=True)[1]
    counts = np.zeros((int(groups.max()) + 1, _classes(data)), dtype=np.int64)
    np.add.at(counts, (groups.numpy(), data.labels.numpy()), 1)
    found = set()
    for start in range(STARTS):
        order = permutation(len(counts), generator("holdout", start)).numpy()
        held = order[_balanced(counts[order], size)]
        if (together := int(counts[held].sum())) == size < len(groups):
            return torch.isin(groups, torch.from_numpy(held)).nonzero().flatten()
        found.add(together)
    nearest = min(found, key=lambda together: abs(together - size))
    raise LadderError(
        f"holdout {size}: no whole groups of images have that size together while others are left to train on; "
        f"the nearest found have {nearest}"
    )


def _balanced(counts: np.ndarray, size: int) -> list[int]:
    """Return rows of `counts`, int64 [groups, classes], that sum up to `size`, to about the same in each class.

    Rows are taken from the first on. Then the exchange of one row, or none, for another, or none, that helps most is
    made until none helps. All is done in whole numbers, so that every machine finds the same.
    """
    taken = int(np.searchsorted(counts.sum(axis=1).cumsum(), size, side="right"))
    held, left = list(range(taken)), list(range(taken, len(counts)))
    none = np.zeros((1, counts.shape[1]), dtype=np.int64)
    while True:
        now = counts[held].sum(axis=0)
        leaving, coming = (np.concatenate([none, counts[rows[:TRIED]]]) for rows in (held, left))
        costs = _cost(now - leaving[:, None] + coming[None], size)
        out, into = np.unravel_index(costs.argmin(), costs.shape)
        if costs[out, into] >= costs[0, 0]:  # [0, 0] exchanges none for none
            return held
        leavers, comers = held[out - 1 : out], left[into - 1 : into]  # one each, or none
        held = [row for row in held if row not in leavers] + comers
        left = [row for row in left if row not in comers] + leavers


def _cost(counts, size):
    """Return how far counts, int64 [..., classes], are from `size` together, and from the same in each class."""
    classes = counts.shape[-1]
    uneven = ((classes * counts - size) ** 2).sum(axis=-1)
    return uneven + EXACT * (classes * (counts.sum(axis=-1) - size)) ** 2
