"""Test images moved, and without the mislabelled ones."""

from ladder import cards

# Test images of which most of five people chose another digit than their label: C. Northcutt, A. Athalye and
# J. Mueller, arXiv:2103.14749; the file mturk/mnist_mturk.json of github.com/cleanlab/label-errors.
MISLABELLED = (947, 1621, 1901, 2130, 2462, 2597, 2654, 3520, 3558, 5937, 6651, 6783, 8527, 9679, 9729)
MOVED = {"shifted by up to 2 pixels": {"translate": 2}, "turned by up to 10°": {"degrees": 10.0}}
ALL_IMAGES, WELL_LABELLED = "all test images", "without the 15 mislabelled"


def views(images, labels) -> dict:
    """Return {column: (images, labels)} of the test images: all of them, without the mislabelled ones, and moved.

    images: uint8 tensor [N, 1, 28, 28]; labels: uint8 tensor [N]. Each image moves by its own draw, the same for every
    rung.
    """
    import torch

    from ladder.cards.augmentations import augment
    from ladder.lanes.draws import generator

    well_labelled = torch.ones(len(labels), dtype=torch.bool)
    well_labelled[list(MISLABELLED)] = False
    by_column = {ALL_IMAGES: (images, labels), WELL_LABELLED: (images[well_labelled], labels[well_labelled])}
    for column, how in MOVED.items():
        by_column[column] = augment(images, [cards.Affine(**how)], generator("moved")), labels
    return by_column
