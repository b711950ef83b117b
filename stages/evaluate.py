"""Measure the trained models on the test images: the only stage that looks at what models do on them.

Reads: reports/recipe.yaml, reports/history.csv, data/models/, data/processed/. Parameter: evaluate.target.
Writes: reports/metrics.json (means over the seeds, accuracies in percent), reports/curves.csv (seed, epoch,
test accuracy and loss), reports/errors.csv (a row for each seed and misread test image), reports/confusion.csv
(label, prediction, mean number of images), reports/{curves,confusion,errors}.png.
"""

import json
from itertools import repeat

import numpy as np
import pandas as pd

from ladder import cards, machine, stats
from ladder.files import write_bytes, write_text
from ladder.shapes import parameters
from stages import REPORTS, read_split, run_stage
from stages.train import model_path


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


def measure_seed(recipe, seed):
    """Return the Measured of one seed's models, in a process of its own."""
    from ladder.measure import measure
    from ladder.tensors import read_tensors

    weights = [read_tensors(model_path(seed, epoch)) for epoch in range(1, recipe.epochs + 1)]
    train, test = read_split("train"), read_split("test")
    return measure(recipe, weights, train, test)


def main():
    params = cards.read_params()
    recipe = cards.read_recipe(REPORTS / "recipe.yaml")
    machine.configure(recipe.portable)
    # torch reads what `configure` set when it is imported
    from ladder import pictures
    from ladder.pool import process_pool

    seeds = range(params.seeds)
    with process_pool(machine.side_by_side(recipe, params.seeds)) as executor:
        measured = dict(zip(seeds, executor.map(measure_seed, repeat(recipe), seeds), strict=True))
    test = read_split("test")
    images, labels = test["images"].numpy(), test["labels"].numpy()
    history = pd.read_csv(REPORTS / "history.csv")
    found, curves, errors = results(recipe, measured, history, labels, params.evaluate.target)
    confusion = confusion_table(measured, labels)

    write_results(REPORTS, found, {"curves": curves, "errors": errors, "confusion": confusion})
    title = f"{recipe.rung}, {params.seeds} seed{'s' * (params.seeds > 1)}"
    write_bytes(REPORTS / "curves.png", pictures.curves(history, curves, params.evaluate.target, title))
    write_bytes(REPORTS / "confusion.png", pictures.confusion(confusion, title))
    write_bytes(REPORTS / "errors.png", pictures.errors(errors, images, params.seeds, title))
    print(f"evaluate: {title}: {said(found, len(labels))}")


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


if __name__ == "__main__":
    run_stage("evaluate", main)
