"""The test images that changed between two reports, as PNG bytes."""

from collections.abc import Sequence

import numpy as np
from matplotlib import rc_context
from matplotlib.figure import Figure

from ladder.evaluation.pictures import GALLERY_COLUMNS, LETTERS
from ladder.exceptions import cut
from ladder.figure import STYLE, draw_image, no_formula, png

CHANGES = 3  # comparisons with pictures
LEGEND = (
    "Above each image: its number, who made it (where that is known), label → what it was read as,\n"
    "how many of the seeds misread it before → after"
)
ROW, HEADING = 2.1, 0.5  # inches


def changes(comparisons: Sequence[dict], images: np.ndarray, inverted: bool = True) -> bytes:
    """Return the test images that changed most consistently: a row fixed and a row broken for the first comparisons.

    comparisons: those of ladder.comparison.differences that have such images; images: uint8 [N, C, S, S];
    inverted: as for `draw_image`.
    """
    first = comparisons[:CHANGES]
    rows = [(comparison, key) for comparison in first for key in ("fixed", "broken") if comparison["images"][key]]
    with rc_context(STYLE):
        figure = Figure(figsize=(10, HEADING + ROW * len(rows)))
        legend, *parts = figure.subfigures(len(rows) + 1, 1, height_ratios=[HEADING, *[ROW] * len(rows)])
        legend.suptitle(LEGEND, fontsize=9)
        for part, (comparison, key) in zip(parts, rows, strict=True):
            _row(part, comparison, key, images, inverted)
        return png(figure)


def caption(image: dict, comparison: dict) -> str:
    """Return the lines above an image of a comparison, which LEGEND explains."""
    pairs = zip(image["misread_by"], comparison["seeds"], strict=True)
    before, after = (f"{misread}/{count}" for misread, count in pairs)
    maker = [] if image["writer"] is None else [f"{comparison['maker']} {image['writer']}"]
    label, read_as = (cut(comparison["classes"][image[key]], LETTERS) for key in ("label", "read_as"))
    arrow = " → " if len(label + read_as) < LETTERS else " →\n"
    return "\n".join([f"image {image['index']}", *maker, f"{label}{arrow}{read_as}", f"{before} → {after}"])


def _row(part, comparison, key, images, inverted):
    """Draw the most consistent images that got fixed, or broke, in one comparison."""
    changed = comparison["images"][key]
    shown = changed[:GALLERY_COLUMNS]
    names = no_formula(f"{comparison['before']} → {comparison['after']}")
    part.suptitle(f"{key.title()}, {len(shown)} of {len(changed)}: {names}", fontsize=10)
    axes = part.subplots(1, GALLERY_COLUMNS)
    for axis in axes:
        axis.axis("off")
    for axis, image in zip(axes, shown, strict=False):
        draw_image(axis, images[image["index"]], caption(image, comparison), inverted)
