"""A picture of some images of a data set."""

from matplotlib import rc_context
from matplotlib.figure import Figure
from torch import Tensor

from ladder.data.data_set import DataSet, Folder
from ladder.exceptions import cut
from ladder.figure import STYLE, draw_image, png

LETTERS = 15  # of a class's name above an image


def samples(data_set: DataSet, images: Tensor, labels: Tensor, count: int) -> bytes:
    """Return a grid of `count` training images, or all if there are fewer, ten a row, with their classes above.

    images: uint8 [N, C, S, S]. Shown are the first; of a folder, which lies class by class, those at even distances.
    """
    count, is_folder = min(count, len(images)), isinstance(data_set.source, Folder)
    shown = [number * len(images) // count for number in range(count)] if is_folder else list(range(count))
    images, labels = images[shown], labels[shown]
    with rc_context(STYLE):
        rows = -(-len(images) // 10)
        figure = Figure(figsize=(8, 0.92 * rows + 0.4))
        axes = figure.subplots(rows, 10, squeeze=False)
        for axis in axes.flat[len(images) :]:
            axis.axis("off")
        for axis, image, label in zip(axes.flat, images, labels, strict=False):
            draw_image(axis, image, cut(data_set.classes[label], LETTERS), data_set.inverted)
        figure.suptitle(
            f"{'' if is_folder else 'The first '}{count} training images and their labels", fontweight="bold"
        )
        return png(figure)
