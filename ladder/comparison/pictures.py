"""The test images that changed between two reports, as PNG bytes."""

from collections.abc import Sequence

import numpy as np
from matplotlib import rc_context
from matplotlib.figure import Figure

from ladder.evaluation.pictures import GALLERY_COLUMNS
from ladder.figure import STYLE, draw_digit, png

CHANGES = 3  # comparisons with pictures
LEGEND = (
    "Above each image: its number, who wrote it (where that is known), label → what it was read as,\n"
    "how many of the seeds misread it before → after"
)
ROW, HEADING = 2.1, 0.5  # inches


def changes(comparisons: Sequence[dict], images: np.ndarray) -> bytes:
    """Return the test images that changed most consistently: a row fixed and a row broken for the first comparisons.

    comparisons: those of ladder.comparison.differences that have such images; images: uint8 [N, 1, 28, 28].
    """
    first = comparisons[:CHANGES]
    rows = [(comparison, key) for comparison in first for key in ("fixed", "broken") if comparison["images"][key]]
    with rc_context(STYLE):
        figure = Figure(figsize=(10, HEADING + ROW * len(rows)))
        legend, *parts = figure.subfigures(len(rows) + 1, 1, height_ratios=[HEADING, *[ROW] * len(rows)])
        legend.suptitle(LEGEND, fontsize=9)
        for part, (comparison, key) in zip(parts, rows, strict=True):
            _row(part, comparison, key, images)
        return png(figure)


def caption(image: dict, seeds: Sequence[int]) -> str:
    """Return the lines above an image, which LEGEND explains. seeds: how many there are before and after."""
    before, after = (f"{misread}/{count}" for misread, count in zip(image["misread_by"], seeds, strict=True))
    writer = [] if image["writer"] is None else [f"writer {image['writer']}"]
    lines = [f"image {image['index']}", *writer, f"{image['label']} → {image['read_as']}", f"{before} → {after}"]
    return "\n".join(lines)


def _row(part, comparison, key, images):
    """Draw the most consistent images that got fixed, or broke, in one comparison."""
    changed = comparison["images"][key]
    shown = changed[:GALLERY_COLUMNS]
    names = f"{comparison['before']} → {comparison['after']}".replace("$", r"\$")  # or it would begin a formula
    part.suptitle(f"{key.title()}, {len(shown)} of {len(changed)}: {names}", fontsize=10)
    axes = part.subplots(1, GALLERY_COLUMNS)
    for axis in axes:
        axis.axis("off")
    for axis, image in zip(axes, shown, strict=False):
        draw_digit(axis, images[image["index"]], caption(image, comparison["seeds"]))
