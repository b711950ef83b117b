"""The files that training and evaluation write: history, metrics, curves, errors and confusion.

The columns of every CSV file are defined here, once, for those who write it and for those who read it.
"""

import csv
import io
import json
import re
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np

from ladder.cards import Recipe
from ladder.data.splits import LISTED
from ladder.evaluation.metrics import MOST, Evaluation, Tables, metrics, shortened
from ladder.exceptions import LadderError
from ladder.files import dump_csv, write_text


def whole(cell: str) -> int:
    """Return the whole number, 0 or more, in a cell. Raises ValueError."""
    if not re.fullmatch(r"[0-9]{1,12}", cell):
        raise ValueError(f"{shortened(cell)} is not a whole number of 0 or more")
    return int(cell)


def decimal(cell: str) -> float:
    """Return the number from 0 to MOST in a cell. Raises ValueError."""
    plain = re.fullmatch(r"[0-9]{1,20}(\.[0-9]{1,30})?([eE][-+]?[0-9]{1,3})?", cell)
    if not plain or float(cell) > MOST:
        raise ValueError(f"{shortened(cell)} is not a number from 0 to {MOST:,}")
    return float(cell)


def optional(cell: str) -> float | None:
    """Return None for an empty cell, else as `decimal`."""
    return decimal(cell) if cell else None


HISTORY = {
    "seed": whole,
    "epoch": whole,
    "learning_rate": decimal,
    "train_loss": decimal,
    "train_accuracy": decimal,
    "holdout_loss": optional,
    "holdout_accuracy": optional,
}
CURVES = {"seed": whole, "epoch": whole, "accuracy": decimal, "loss": decimal}
ERRORS = {"seed": whole, "index": whole, "label": whole, "prediction": whole, "confidence": decimal}
TEST_IMAGES = dict.fromkeys(LISTED, whole)
FEW = 30  # classes, whose every pair a table holds and a picture numbers
CONFUSION = {"label": whole, "prediction": whole, "images": decimal}


def history_rows(epochs: Mapping[int, list[dict]]) -> list[dict]:
    """Return the rows of history.csv for {seed: the metrics of its epochs}."""
    return [
        {"seed": seed} | {key: _rounded(row[key]) for key in HISTORY if key != "seed"}
        for seed, of_seed in epochs.items()
        for row in of_seed
    ]


def history_csv(epochs: Mapping[int, list[dict]]) -> str:
    """Return history.csv as text for {seed: the metrics of its epochs}."""
    return dump_csv(list(HISTORY), history_rows(epochs))


def curves_rows(measured: Mapping) -> list[dict]:
    """Return the rows of curves.csv, accuracy in percent and loss on the test images, for {seed: Measured}."""
    return [
        {"seed": seed, "epoch": epoch, "accuracy": round(accuracy, 4), "loss": round(loss, 6)}
        for seed, of_seed in measured.items()
        for epoch, (accuracy, loss) in enumerate(zip(of_seed.accuracy, of_seed.loss, strict=True), start=1)
    ]


def errors_rows(measured: Mapping, labels: np.ndarray) -> list[dict]:
    """Return the rows of errors.csv, one for each seed and misread test image. labels: whole numbers [N]."""
    return [
        {
            "seed": seed,
            "index": index,
            "label": int(labels[index]),
            "prediction": int(of_seed.predictions[index]),
            "confidence": round(float(of_seed.confidences[index]), 4),
        }
        for seed, of_seed in measured.items()
        for index in np.flatnonzero(of_seed.predictions != labels).tolist()
    ]


def confusion_rows(measured: Mapping, labels: np.ndarray, classes: int) -> list[dict]:
    """Return the rows of confusion.csv: the mean number of test images for every pair of label and prediction.

    Of more than FEW classes, pairs without an image are left out.
    """
    first = labels.astype(np.int64) * classes
    pairs = sum(np.bincount(first + of_seed.predictions, minlength=classes**2) for of_seed in measured.values())
    means = (pairs / len(measured)).tolist()
    return [
        {"label": pair // classes, "prediction": pair % classes, "images": round(mean, 2)}
        for pair, mean in enumerate(means)
        if mean or classes <= FEW
    ]


def evaluation_of(
    recipe: Recipe, measured: Mapping, history: list[dict], labels: np.ndarray, target: float | None
) -> Evaluation:
    """Return the Evaluation of {seed: Measured}. history: rows of history.csv; labels: of the test images [N]."""
    tables = Tables(curves_rows(measured), errors_rows(measured, labels), history, len(labels))
    return Evaluation(tables, recipe, [of_seed.train_accuracy for of_seed in measured.values()], target)


def write_results(folder: Path, evaluation: Evaluation) -> dict:
    """Write metrics.json, curves.csv and errors.csv into a folder; return what metrics.json has."""
    values = metrics(evaluation)
    write_text(folder / "metrics.json", json.dumps(values, indent=2) + "\n")
    write_text(folder / "curves.csv", dump_csv(list(CURVES), evaluation.tables.curves))
    write_text(folder / "errors.csv", dump_csv(list(ERRORS), evaluation.tables.errors))
    return values


def read_history(path: Path) -> list[dict]:
    """Return the rows of a history.csv. Raises LadderError where it is not as `train` writes it."""
    try:
        return parse_csv(HISTORY, Path(path).read_text(encoding="utf-8", errors="replace"))
    except ValueError as error:
        raise LadderError(f"{path}: {error}; run `dvc repro`") from None


def parse_csv(columns: Mapping[str, Callable[[str], object]], text: str) -> list[dict]:
    """Return the rows of CSV text, {column: value} for these columns. Raises ValueError, which names the line."""
    if not text.endswith("\n"):
        raise ValueError("the last line is cut off")
    lines = csv.reader(io.StringIO(text), strict=True)
    try:
        head = next(lines)
        missing = [column for column in columns if head.count(column) != 1]
        if missing:
            raise ValueError(f"it needs one column {missing[0]!r}")
        return [_row(columns, head, cells, lines.line_num) for cells in lines]
    except csv.Error as error:
        raise ValueError(f"line {lines.line_num}: {error}") from None
    except StopIteration:
        raise ValueError("it is empty") from None


def _row(columns, head, cells, line):
    if len(cells) != len(head):
        raise ValueError(f"line {line} has {len(cells)} cells, not {len(head)}")
    by_column = dict(zip(head, cells, strict=True))
    try:
        return {column: read(by_column[column]) for column, read in columns.items()}
    except ValueError as error:
        raise ValueError(f"line {line}: {error}") from None


def _rounded(value):
    return round(value, 6) if isinstance(value, float) else value
