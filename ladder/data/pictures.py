"""A picture of the first images of a data set."""

from matplotlib import rc_context
from matplotlib.figure import Figure
from torch import Tensor

from ladder.data.data_set import DataSet
from ladder.exceptions import cut
from ladder.figure import STYLE, draw_image, png

LETTERS = 15  # of a class's name above an image


def samples(data_set: DataSet, images: Tensor, labels: Tensor) -> bytes:
    """Return a grid of images (uint8 [N, C, S, S]), ten a row, with their classes above."""
    with rc_context(STYLE):
        rows = -(-len(images) // 10)
        figure = Figure(figsize=(8, 0.92 * rows + 0.4))
        axes = figure.subplots(rows, 10, squeeze=False)
        for axis in axes.flat[len(images) :]:
            axis.axis("off")
        for axis, image, label in zip(axes.flat, images, labels, strict=False):
            draw_image(axis, image, cut(data_set.classes[label], LETTERS), data_set.inverted)
        figure.suptitle(f"The first {len(images)} training images and their labels", fontweight="bold")
        return png(figure)
