"""Pictures of what a rung's runs reached, as PNG bytes."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
from matplotlib import rc_context
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from ladder.data.data_set import DataSet
from ladder.evaluation.tables import FEW
from ladder.exceptions import cut
from ladder.figure import HOLDOUT, STYLE, TARGET, TEST, TRAIN, draw_image, no_formula, png

GALLERY_COLUMNS, GALLERY_ROWS = 10, 5
LETTERS = 16  # of a class's name above an image
TICK_LETTERS = 24  # of a class's name beside the confusion matrix
CELL = 0.46  # inches of the matrix for a class whose cells are numbered, where there are more than 10


def curves(history: pd.DataFrame, tests: pd.DataFrame, target: float | None, title: str) -> bytes:
    """Return accuracy and loss by epoch: every seed as a thin line, their mean as a thick one.

    history: seed, epoch, train_accuracy, train_loss, ... (reports/history.csv); tests: seed, epoch, accuracy,
    loss (reports/curves.csv); target: percent, or None where there is none.
    """
    with rc_context(STYLE):
        figure = Figure(figsize=(10, 4.2))
        (left, right) = figure.subplots(1, 2)
        _lines(left, history, "train_accuracy", TRAIN, "train (running)")
        _lines(right, history, "train_loss", TRAIN, "train (running)")
        if history.holdout_accuracy.notna().any():
            _lines(left, history, "holdout_accuracy", HOLDOUT, "holdout")
            _lines(right, history, "holdout_loss", HOLDOUT, "holdout")
        _lines(left, tests, "accuracy", TEST, "test")
        _lines(right, tests, "loss", TEST, "test")
        if target is not None:
            left.axhline(target, color=TARGET, linestyle="--", linewidth=1, label=f"target {target:g} %")
        ended = tests[tests.epoch == tests.epoch.max()].accuracy.min()
        single = tests.epoch.max() == 1
        if single:
            ended = min(ended, history.train_accuracy.min())
        low = min(96, np.floor(ended) - 1)  # the first of several epochs may start below the picture
        left.set_ylim(low, 100)
        left.set(title=f"Accuracy, {title}", xlabel="epoch", ylabel="%")
        right.set_yscale("log")
        right.set(title=f"Loss, {title}", xlabel="epoch", ylabel="mean loss (log scale)")
        for axis in (left, right):
            axis.xaxis.set_major_locator(MaxNLocator(integer=True))
            if single:
                axis.set(xlim=(0.5, 1.5), xticks=[1])  # matplotlib would show tenths of an epoch
        left.legend(frameon=False, loc="lower right")
        right.legend(frameon=False, loc="upper right")
        return png(figure)


def confusion(table: pd.DataFrame, title: str, names: Sequence[str]) -> bytes:
    """Return the confusion matrix of a table of label, prediction, images (mean number over the seeds).

    names: of the classes. Of more than FEW classes, cells have no numbers and rows no names.
    """
    matrix = np.zeros((len(names), len(names)))
    matrix[table.label, table.prediction] = table.images
    wrong = np.where(np.eye(len(names), dtype=bool), 0, matrix)
    larger = CELL * max(min(len(names), FEW) - 10, 0)
    with rc_context(STYLE | {"axes.grid": False}):
        figure = Figure(figsize=(6.4 + larger, 5.8 + larger))
        axis = figure.subplots()
        axis.imshow(wrong, cmap="Oranges", vmin=0, vmax=max(wrong.max() * 1.4, 1))
        axis.set(title=f"Test images by label and prediction\n{title}", xlabel="prediction", ylabel="label")
        if len(names) <= FEW:
            _number_cells(axis, matrix)
            _name_cells(axis, names)
        return png(figure)


def _number_cells(axis, matrix):
    for label, prediction in zip(*matrix.nonzero(), strict=True):
        right, value = label == prediction, matrix[label, prediction]
        color, weight = (TARGET, "normal") if right else ("black", "bold")
        axis.text(prediction, label, f"{value:g}", ha="center", va="center", fontsize=8, color=color, weight=weight)


def _name_cells(axis, names):
    places, shown = range(len(names)), [no_formula(cut(name, TICK_LETTERS)) for name in names]
    if max(map(len, shown)) > 2:
        axis.set_xticks(places, shown, rotation=90)
    else:
        axis.set_xticks(places, shown)
    axis.set_yticks(places, shown)


def misread(table: pd.DataFrame, images: np.ndarray, seeds: int, title: str, data_set: DataSet) -> bytes:
    """Return a gallery of misread test images, the most confident mistakes first.

    table: seed, index, label, prediction, confidence (reports/errors.csv); images: uint8 [N, C, S, S] of the data set.
    Above each image: label → prediction, and the confidence in that prediction, a mean over all seeds. A seed that
    read the image correctly counts as 0.
    """
    long = max(map(len, data_set.classes)) > 2
    grouped = table.groupby(["index", "label", "prediction"]).confidence.sum().div(seeds).reset_index()
    grouped = grouped.sort_values(["confidence", "index"], ascending=[False, True])
    shown = grouped.head(GALLERY_COLUMNS * GALLERY_ROWS)
    rows = max(-(-len(shown) // GALLERY_COLUMNS), 1)
    with rc_context(STYLE):
        figure = Figure(figsize=(10, (1.5 if long else 1.3) * rows + 0.6))
        axes = figure.subplots(rows, GALLERY_COLUMNS, squeeze=False)
        for axis in axes.flat:
            axis.axis("off")
        for axis, row in zip(axes.flat, shown.itertuples(), strict=False):
            label, prediction = (cut(data_set.classes[of], LETTERS) for of in (row.label, row.prediction))
            said = f"{label} →\n{prediction}" if long else f"{label} → {prediction}"
            draw_image(axis, images[row.index], f"{said}\n{100 * row.confidence:.0f} %", data_set.inverted)
        figure.suptitle(
            f"Misread test images: label → prediction, confidence ({title}; {len(shown)} of {len(grouped)})",
            fontweight="bold",
        )
        return png(figure)


def _lines(axis, table, column, color, label):
    mean = table.groupby("epoch")[column].mean()
    point = "o" if len(mean) == 1 else None  # a line through one point shows nothing
    for _, of_seed in table.groupby("seed"):
        axis.plot(of_seed.epoch, of_seed[column], color=color, linewidth=0.8, alpha=0.5, marker=point, markersize=3)
    axis.plot(mean.index, mean, color=color, linewidth=2, label=label, marker=point)
