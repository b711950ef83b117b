"""The test images that changed between two reports, as PNG bytes."""

from matplotlib import rc_context
from matplotlib.figure import Figure

from ladder.evaluation.pictures import GALLERY_COLUMNS
from ladder.figure import STYLE, draw_digit, png

CHANGES = 3  # comparisons with pictures


def changes(comparisons, images):
    """Return the test images that changed most consistently: a row fixed and a row broken for the first comparisons.

    comparisons: those of ladder.differences that have such images; images: uint8 [N, 1, 28, 28]. Above each image:
    label → what it was read as, and how many seeds misread it before → after.
    """
    first = comparisons[:CHANGES]
    shown = [(found, key) for found in first for key in ("fixed", "broken") if found["images"][key]]
    with rc_context(STYLE):
        figure = Figure(figsize=(10, 1.75 * len(shown)))
        for part, (found, key) in zip(figure.subfigures(len(shown), 1, squeeze=False).flat, shown, strict=True):
            changed = found["images"][key]
            most = changed[:GALLERY_COLUMNS]
            of = f"{len(most)} of {len(changed)}"
            part.suptitle(f"{key.title()}, {of}: {found['before']} → {found['after']}", fontsize=10)
            axes = part.subplots(1, GALLERY_COLUMNS)
            for axis in axes:
                axis.axis("off")
            for axis, image in zip(axes, most, strict=False):
                before, after = (f"{n}/{seeds}" for n, seeds in zip(image["misread_by"], found["seeds"], strict=True))
                title = f"{image['label']} → {image['read_as']}\n{before} → {after}"
                draw_digit(axis, images[image["index"]], title)
        return png(figure)
