"""Pictures of what a rung's runs reached, as PNG bytes."""

import numpy as np
import pandas as pd
from matplotlib import rc_context
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from ladder.figure import HOLDOUT, STYLE, TARGET, TEST, TRAIN, draw_digit, png

GALLERY_COLUMNS, GALLERY_ROWS = 10, 5


def curves(history, tests, target, title):
    """Return accuracy and loss by epoch: every seed as a thin line, their mean as a thick one.

    history: seed, epoch, train_accuracy, train_loss, ... (reports/history.csv); tests: seed, epoch, accuracy,
    loss (reports/curves.csv); target: percent.
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


def confusion(table: pd.DataFrame, title: str) -> bytes:
    """Return the confusion matrix of a table of label, prediction, images (mean number over the seeds)."""
    matrix = table.pivot(index="label", columns="prediction", values="images").to_numpy()
    wrong = np.where(np.eye(10, dtype=bool), 0, matrix)
    with rc_context(STYLE | {"axes.grid": False}):
        figure = Figure(figsize=(6.4, 5.8))
        axis = figure.subplots()
        axis.imshow(wrong, cmap="Oranges", vmin=0, vmax=max(wrong.max() * 1.4, 1))
        for label, prediction in np.ndindex(10, 10):
            value = matrix[label, prediction]
            if value:
                weight = "normal" if label == prediction else "bold"
                color = TARGET if label == prediction else "black"
                axis.text(
                    prediction, label, f"{value:g}", ha="center", va="center", fontsize=8, color=color, weight=weight
                )
        axis.set(title=f"Test images by label and prediction\n{title}", xlabel="prediction", ylabel="label")
        axis.set_xticks(range(10))
        axis.set_yticks(range(10))
        return png(figure)


def misread(table: pd.DataFrame, images: np.ndarray, seeds: int, title: str) -> bytes:
    """Return a gallery of misread test images, the most confident mistakes first.

    table: seed, index, label, prediction, confidence (reports/errors.csv); images: uint8 [N, 1, 28, 28]. Above
    each image: label → prediction, and the confidence in that prediction, a mean over all seeds. A seed that read the
    image correctly counts as 0.
    """
    grouped = table.groupby(["index", "label", "prediction"]).confidence.sum().div(seeds).reset_index()
    grouped = grouped.sort_values(["confidence", "index"], ascending=[False, True])
    shown = grouped.head(GALLERY_COLUMNS * GALLERY_ROWS)
    rows = max(-(-len(shown) // GALLERY_COLUMNS), 1)
    with rc_context(STYLE):
        figure = Figure(figsize=(10, 1.3 * rows + 0.6))
        axes = figure.subplots(rows, GALLERY_COLUMNS, squeeze=False)
        for axis in axes.flat:
            axis.axis("off")
        for axis, row in zip(axes.flat, shown.itertuples(), strict=False):
            draw_digit(axis, images[row.index], f"{row.label} → {row.prediction}\n{100 * row.confidence:.0f} %")
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
