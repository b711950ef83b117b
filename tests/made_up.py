"""Reports of made-up runs, as `evaluate` writes them."""

import csv
import json

import numpy as np

IMAGES = 10_000
LABELS = np.arange(IMAGES) % 10


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

    first: accuracy of the first of the two epochs, less that of the second; metrics: more of metrics.json.
    """
    folder.mkdir(parents=True, exist_ok=True)
    accuracies = [round(100 - 100 * float(row.mean()), 4) for row in misread]
    rows = [
        (s, int(i), LABELS[i], (LABELS[i] + 1) % 10, 0.9) for s, row in enumerate(misread) for i in np.flatnonzero(row)
    ]
    curves = [
        (s, e, round(a + first * (e == 1), 4), loss + 0.001 * s) for s, a in enumerate(accuracies) for e in (1, 2)
    ]
    write_csv(folder / "curves.csv", ["seed", "epoch", "accuracy", "loss"], curves)
    write_csv(folder / "errors.csv", ["seed", "index", "label", "prediction", "confidence"], rows)
    mean = float(np.mean(accuracies))
    found = {"accuracy": mean, "accuracy_low": None, "errors": float(misread.sum(1).mean()), "parameters": 7598}
    (folder / "metrics.json").write_text(json.dumps(found | {"reached_epoch": None} | metrics))
    (folder / "recipe.yaml").write_text(f"rung: {rung}\nnetwork:\n- {network}\nepochs: 2\n")


def write_csv(path, head, rows):
    with path.open("w", newline="") as file:
        csv.writer(file).writerows([head, *rows])
