"""Reports of made-up runs, written by what `evaluate` writes its own with."""

import json
from types import SimpleNamespace

import numpy as np

from ladder import cards
from ladder.evaluation.tables import evaluation_of, write_results

IMAGES = 10_000
LABELS = np.arange(IMAGES) % 10
TARGET = 99.4
RECIPE = cards.Recipe.model_validate(
    {
        "network": ["flatten", {"linear": {"out": 10}}, "log_softmax"],
        "epochs": 2,
        "batch_size": 128,
        "loss": "nll",
        "optimizer": "adam",
        "learning_rate": 0.01,
    }
)


def runs(seeds, errors, start=0, spread=5):
    """Return bool [seeds, images]: on average `errors` misread images, by one or two more or fewer a seed."""
    misread = np.zeros((seeds, IMAGES), dtype=bool)
    for seed in range(seeds):
        misread[seed, start : start + errors + spread * (seed % 3 - 1)] = True
    return misread


def misreading(*counts):
    """Return bool [seeds, images]: each seed misreads that many, the first ones."""
    return np.arange(IMAGES) < np.array(counts)[:, None]


def write_reports(folder, misread, rung="net7", network="conv", loss=0.02, first=-1.0, **metrics):
    """Write the files that `evaluate` writes for these misread images; each is read as the next digit.

    misread: bool [seeds, images]. first: accuracy of the first of the two epochs, less that of the second.
    metrics: other values for metrics.json.
    """
    folder.mkdir(parents=True, exist_ok=True)
    labels = np.resize(LABELS, misread.shape[1])
    measured = {seed: of_seed(row, labels, loss + 0.001 * seed, first) for seed, row in enumerate(misread)}
    history = [{"seed": seed, "epoch": 2, "train_accuracy": 99.5} for seed in measured]
    values = write_results(folder, evaluation_of(RECIPE, measured, history, labels, TARGET))
    (folder / "metrics.json").write_text(json.dumps(values | {"parameters": 7598} | metrics))
    (folder / "recipe.yaml").write_text(f"rung: {rung}\nnetwork:\n- {network}\nepochs: 2\n")


def of_seed(misread, labels, loss, first):
    """Return what `measure` returns for a run; ladder.evaluation.measure itself would import torch."""
    accuracy = 100 - 100 * float(misread.mean())
    return SimpleNamespace(
        accuracy=[accuracy + first, accuracy],
        loss=[loss, loss],
        predictions=(labels + misread) % 10,
        confidences=np.full(len(labels), 0.9),
        train_accuracy=99.7,
    )
