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


def draw_digit(axis: Axes, image: ArrayLike, title: str) -> None:
    """Draw one digit (28 x 28 grey values from 0 to 255, dark on white) with a small title above."""
    axis.imshow(np.asarray(image).reshape(28, 28), cmap="gray_r", vmin=0, vmax=255)
    axis.set_title(title, fontsize=8, fontweight="normal", pad=2)
    axis.axis("off")
