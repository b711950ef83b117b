"""A picture of the first images of a data set."""

from matplotlib import rc_context
from matplotlib.figure import Figure
from torch import Tensor

from ladder.figure import STYLE, draw_digit, png


def samples(images: Tensor, labels: Tensor) -> bytes:
    """Return a grid of images (uint8 [N, 1, 28, 28]), ten a row, with their labels above."""
    with rc_context(STYLE):
        rows = -(-len(images) // 10)
        figure = Figure(figsize=(8, 0.92 * rows + 0.4))
        axes = figure.subplots(rows, 10)
        for axis, image, label in zip(axes.flat, images, labels, strict=True):
            draw_digit(axis, image, str(int(label)))
        figure.suptitle(f"The first {len(images)} training images and their labels", fontweight="bold")
        return png(figure)
