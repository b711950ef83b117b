"""How every picture looks, and a figure as PNG bytes: the same bytes for the same data and libraries."""

import io

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import ArrayLike

STYLE = {
    "font.family": "DejaVu Sans",  # comes with matplotlib, so it is the same everywhere
    "font.size": 10,
    "axes.titlesize": 11,
    "axes.titleweight": "bold",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "grid.alpha": 0.3,
    "figure.constrained_layout.use": True,
    "savefig.dpi": 110,
}
TEST, TRAIN, HOLDOUT, TARGET = "#1f6fb2", "#d9822b", "#4a9b5b", "#888888"


def png(figure: Figure) -> bytes:
    """Return a figure as PNG, the same bytes each time."""
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", metadata={"Software": None})
    return buffer.getvalue()


def draw_image(axis: Axes, image: ArrayLike, title: str, inverted: bool = False) -> None:
    """Draw one image, uint8 [C, S, S], grey or in colour, with a small title above.

    inverted: show a grey image's black as white, and its white as black.
    """
    values = np.asarray(image)
    if len(values) == 1:
        axis.imshow(values[0], cmap="gray_r" if inverted else "gray", vmin=0, vmax=255)
    else:
        axis.imshow(np.moveaxis(values, 0, -1))
    axis.set_title(no_formula(title), fontsize=8, fontweight="normal", pad=2)
    axis.axis("off")


def no_formula(text: str) -> str:
    """Return text in which matplotlib sees no formula, which would begin at a dollar sign."""
    return text.replace("$", r"\$")
