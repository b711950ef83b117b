"""The files that training and evaluation write: history, metrics, curves, errors and confusion."""

import io
import json

import numpy as np
import pandas as pd

from ladder.cards import parameters
from ladder.evaluation import stats
from ladder.files import dump_csv, write_text


def history_table(rows):
    """Return reports/history.csv, as text, for {seed: rows of its epochs}."""
    fields = ["epoch", "learning_rate", "train_loss", "train_accuracy", "holdout_loss", "holdout_accuracy"]
    rounded = (
        {"seed": seed} | {key: _rounded(row[key]) for key in fields}
        for seed, of_seed in rows.items()
        for row in of_seed
    )
    return dump_csv(["seed", *fields], rounded)


def _rounded(value):
    return round(value, 6) if isinstance(value, float) else value


def results(recipe, measured, history, labels, target):
    """Return (metrics.json as a dict, curves.csv and errors.csv as tables) for {seed: Measured}; see `metrics`."""
    curves, errors = curves_table(measured), errors_table(measured, labels)
    accuracies = [of_seed.train_accuracy for of_seed in measured.values()]
    return metrics(recipe, curves, history, accuracies, errors, len(labels), target), curves, errors


def metrics(recipe, curves, history, train_accuracies, errors, images, target):
    """Return reports/metrics.json as a flat dict.

    curves: seed, epoch, accuracy, loss on the test images; history: reports/history.csv;
    train_accuracies: one a seed; errors: reports/errors.csv; images: how many test images there are.
    """
    last = curves[curves.epoch == recipe.epochs]
    mean, deviation, low, high = stats.mean_interval(last.accuracy.tolist(), resolution=100 / images)
    by_epoch = curves.groupby("epoch").accuracy.mean().round(6)
    reached = by_epoch.index[by_epoch >= target]
    missed = by_epoch.index[by_epoch < target]
    ended = history[history.epoch == recipe.epochs]
    train_accuracy = sum(train_accuracies) / len(train_accuracies)
    found = {
        "accuracy": mean,
        "accuracy_sd": deviation,
        "accuracy_low": low,
        "accuracy_high": high,
        "errors": len(errors) / len(last),
        "loss": last.loss.mean(),
        "best_epoch_accuracy": curves.groupby("seed").accuracy.max().mean(),
        "train_accuracy": train_accuracy,
        "train_accuracy_running": ended.train_accuracy.mean(),
        "gap": train_accuracy - mean,
        "reached_epoch": int(reached[0]) if len(reached) else None,
        "held_epochs": int(recipe.epochs - missed[-1]) if len(missed) else recipe.epochs,
        "holdout_accuracy": ended.holdout_accuracy.mean() if recipe.holdout else None,
        "parameters": parameters(recipe),
    }
    return {
        key: round(value, 6 if key == "loss" else 4) if isinstance(value, float) else value
        for key, value in found.items()
    }


def curves_table(measured):
    """Return a table of seed, epoch, accuracy and loss on the test images, for {seed: Measured}."""
    return pd.DataFrame(
        [
            (seed, epoch, round(accuracy, 4), round(loss, 6))
            for seed, of_seed in measured.items()
            for epoch, (accuracy, loss) in enumerate(zip(of_seed.accuracy, of_seed.loss, strict=True), start=1)
        ],
        columns=["seed", "epoch", "accuracy", "loss"],
    )


def errors_table(measured, labels):
    """Return a table of seed, index, label, prediction, confidence for every misread test image."""
    found = []
    for seed, of_seed in measured.items():
        for index in np.flatnonzero(of_seed.predictions != labels).tolist():
            prediction, confidence = int(of_seed.predictions[index]), float(of_seed.confidences[index])
            found.append((seed, index, int(labels[index]), prediction, round(confidence, 4)))
    return pd.DataFrame(found, columns=["seed", "index", "label", "prediction", "confidence"])


def confusion_table(measured, labels):
    """Return a table of label, prediction and the mean number of test images so read, for all 100 pairs."""
    pairs = sum(np.bincount(labels * 10 + of_seed.predictions, minlength=100) for of_seed in measured.values())
    means = (pairs / len(measured)).tolist()
    return pd.DataFrame(
        [(pair // 10, pair % 10, round(mean, 2)) for pair, mean in enumerate(means)],
        columns=["label", "prediction", "images"],
    )


def write_results(folder, found, tables):
    """Write metrics.json and the tables, {name: table}, into a folder."""
    write_text(folder / "metrics.json", json.dumps(found, indent=2) + "\n")
    for name, table in tables.items():
        write_text(folder / f"{name}.csv", table.to_csv(index=False, lineterminator="\n"))


def said(found, images):
    """Return one line on metrics.json."""
    interval = (
        f" [{found['accuracy_low']:.2f}, {found['accuracy_high']:.2f}]" if found["accuracy_sd"] is not None else ""
    )
    return f"test accuracy {found['accuracy']:.2f} %{interval}, {found['errors']:g} of {images:,} images misread"


def write_rung(folder, recipe, measured, rows, labels, target):
    """Write a rung's metrics.json and tables into a folder, from {seed: Measured} and {seed: rows of its epochs}.

    Return what metrics.json has. labels: of the test images, int or uint8 [N].
    """
    history = pd.read_csv(io.StringIO(history_table(rows)))
    found, curves, errors = results(recipe, measured, history, labels, target)
    write_results(folder, found, {"curves": curves, "errors": errors})
    return found
