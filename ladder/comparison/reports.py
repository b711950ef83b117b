"""A Report: one set of runs, read from the files of a Snapshot and checked."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from ladder.comparison.locks import check_up_to_date
from ladder.comparison.parsing import (
    TestSet,
    by_seed_of,
    check_together,
    in_file,
    metrics_of,
    tables_of,
    test_set_of,
    yaml_mapping,
)
from ladder.comparison.snapshots import FOLDER, PARAMS, RESULTS, Snapshot
from ladder.evaluation.metrics import Tables, shortened
from ladder.exceptions import LadderError
from ladder.names import is_name
from ladder.paths import DEFAULT_DATA, rung_on


@dataclass(frozen=True)
class Report:
    """One set of runs: a recipe, its metrics, and what each seed reached after its last epoch."""

    name: str
    metrics: Mapping  # metrics.json
    by_seed: Mapping[str, list]  # {metric: one value a seed}
    misread: np.ndarray  # bool [seeds, test images]
    curves: np.ndarray  # float [seeds, epochs], test accuracy in percent
    test: TestSet
    labels: Mapping[int, int]  # {misread image: label}
    predictions: Mapping[int, Counter]  # {misread image: how many seeds read it as what}
    recipe: Mapping  # recipe.yaml
    lines: Mapping[str, list[str]]  # {file: its lines}, for the recipe and the parameters

    @property
    def data(self) -> str:
        """The name of the data set."""
        return self.recipe.get("data", DEFAULT_DATA)


def read_report(snapshot: Snapshot, folder: str, name: str | None = None) -> Report:
    """Return the Report in a folder of a Snapshot, called `name` or by snapshot and rung.

    Raises NotMeasuredError where the results are of another recipe, and LadderError for files that make no sense.
    """
    texts = {file: snapshot.text(f"{folder}/{file}") for file in (*RESULTS, "recipe.yaml")}
    if f"{folder}/history.csv" in snapshot.files:
        texts["history.csv"] = snapshot.files[f"{folder}/history.csv"]
    check_up_to_date(snapshot, folder, texts["recipe.yaml"])
    try:
        recipe = in_file("recipe.yaml", _recipe, texts["recipe.yaml"])
        metrics = in_file("metrics.json", metrics_of, texts["metrics.json"])
        data = recipe.get("data", DEFAULT_DATA)
        test = test_set_of(*snapshot.facts(data))
        tables = tables_of(texts, test)
        by_seed = by_seed_of(tables)
        check_together(metrics, by_seed, tables, recipe["epochs"])
    except ValueError as error:
        fault = "".join(letter for letter in " ".join(str(error).split())[:300] if letter.isprintable())
        remedy = snapshot.remedy(f"{folder}/")
        raise LadderError(f"{snapshot.name}: {folder}/ is not as `evaluate` writes it ({fault}); {remedy}") from None
    labels, predictions = _readings(tables)
    name = name or f"{snapshot.name} ({rung_on(data, recipe['rung'])})"
    lines = _lines(snapshot, folder, texts)
    misread, curves = _misread(tables), _accuracy_curves(tables)
    return Report(name, metrics, by_seed, misread, curves, test, labels, predictions, recipe, lines)


def _recipe(text):
    """Return recipe.yaml as a mapping with a rung and epochs. A recipe of an older version may lack newer words."""
    recipe = yaml_mapping(text)
    rung = recipe.get("rung")
    if not is_name(rung):
        raise ValueError(f"rung is {shortened(rung)}, which is no name of a rung")
    if not is_name(data := recipe.get("data", DEFAULT_DATA)):
        raise ValueError(f"data is {shortened(data)}, which is no name of a data set")
    if "epochs" not in recipe:
        raise ValueError("it has no epochs")
    return recipe


def _lines(snapshot, folder, texts):
    lines = {"recipe.yaml": texts["recipe.yaml"].splitlines()}
    if folder == FOLDER:
        lines[PARAMS] = snapshot.files.get(PARAMS, "").splitlines()
    return lines


def _misread(tables: Tables):
    """Return bool [seeds, test images]. The seeds are those of the curves: one may have no error."""
    place = {seed: number for number, seed in enumerate(dict.fromkeys(row["seed"] for row in tables.curves))}
    misread = np.zeros((len(place), tables.test_images), dtype=bool)
    for row in tables.errors:
        misread[place[row["seed"]], row["index"]] = True
    return misread


def _accuracy_curves(tables: Tables):
    """Return the test accuracies after each epoch, float [seeds, epochs]."""
    of_seeds = {}
    for row in sorted(tables.curves, key=lambda row: row["epoch"]):
        of_seeds.setdefault(row["seed"], []).append(row["accuracy"])
    return np.array([of_seeds[seed] for seed in dict.fromkeys(row["seed"] for row in tables.curves)])


def _readings(tables: Tables):
    """Return {misread image: label} and {misread image: Counter of what it was read as}."""
    labels, predictions = {}, {}
    for row in tables.errors:
        labels[row["index"]] = row["label"]
        predictions.setdefault(row["index"], Counter())[row["prediction"]] += 1
    return labels, predictions
