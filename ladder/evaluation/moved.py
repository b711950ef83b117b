"""Test images moved, and without the mislabelled ones."""

from ladder import cards

# Test images of which most of five people chose another digit than their label: C. Northcutt, A. Athalye and
# J. Mueller, arXiv:2103.14749; the file mturk/mnist_mturk.json of github.com/cleanlab/label-errors.
MISLABELLED = (947, 1621, 1901, 2130, 2462, 2597, 2654, 3520, 3558, 5937, 6651, 6783, 8527, 9679, 9729)
MOVED = {"shifted by up to 2 pixels": {"translate": 2}, "turned by up to 10°": {"degrees": 10.0}}
ALL, RIGHT = "all test images", "without the 15 mislabelled"


def views(images, labels):
    """Return {column: (images, labels)} of the test images [N, 1, 28, 28]: all, without the mislabelled, moved.

    Every image moves by its own draw, the same for every rung.
    """
    import torch

    from ladder.cards.augmentations import augment
    from ladder.lanes.draws import generator

    right = torch.ones(len(labels), dtype=torch.bool)
    right[list(MISLABELLED)] = False
    found = {ALL: (images, labels), RIGHT: (images[right], labels[right])}
    for column, how in MOVED.items():
        found[column] = augment(images, [cards.Affine(**how)], generator("moved")), labels
    return found
