"""Measure the trained models on the test images: `train` never opens them.

Usage:       python -m stages.evaluate
Reads:       reports/recipe.yaml, reports/history.csv, data/models/, data/sets/<data set>/processed/,
             datasets/<data set>.yaml
Parameters:  data, seeds, evaluate.target
Environment: DATA_SOURCE, as of the stage `download`; one that is not there or empty stops this stage
Writes:      reports/metrics.json (means over the seeds, accuracies in percent),
             reports/curves.csv (seed, epoch, test accuracy and loss),
             reports/errors.csv (one row for each seed and misread test image),
             reports/confusion.csv (label, prediction, mean number of images),
             reports/{curves,confusion,errors}.png
"""

from itertools import repeat
from typing import TYPE_CHECKING

import pandas as pd

from ladder import cards, machine
from ladder.command import parser, run_stage
from ladder.data import sources
from ladder.data.data_set import read_data_set
from ladder.data.splits import read_split
from ladder.evaluation.metrics import headline
from ladder.evaluation.tables import CONFUSION, ERRORS, confusion_rows, evaluation_of, read_history, write_results
from ladder.files import dump_csv, write_bytes, write_text
from ladder.paths import REPORTS, model_path

if TYPE_CHECKING:
    from ladder.evaluation.measure import Measured


def measure_seed(recipe: cards.Recipe, seed: int) -> "Measured":
    """Return the Measured of one seed's models, in a process of its own."""
    from ladder.data.tensors import read_tensors
    from ladder.evaluation.measure import measure

    weights = [read_tensors(model_path(seed, epoch)) for epoch in range(1, recipe.epochs + 1)]
    train, test = (read_split(split, recipe.data) for split in ("train", "test"))
    return measure(recipe, weights, train, test)


def main(given: list[str] | None = None) -> None:
    parser("stages.evaluate", __doc__).parse_args(given)
    params = cards.read_params()
    recipe = cards.read_recipe(REPORTS / "recipe.yaml")
    data_set = read_data_set(recipe.data)
    sources.check_named_folder(data_set)
    # these import torch, which takes seconds
    from ladder.evaluation import pictures
    from ladder.runs.pool import process_pool

    seeds = range(params.seeds)
    with process_pool(machine.side_by_side(recipe, params.seeds)) as executor:
        measured = dict(zip(seeds, executor.map(measure_seed, repeat(recipe), seeds), strict=True))
    target = data_set.target_unless(params.evaluate.target)
    test = read_split("test", recipe.data)
    images, labels = test.images.numpy(), test.labels.numpy()
    history = read_history(REPORTS / "history.csv")
    confusion = confusion_rows(measured, labels, recipe.images.classes)
    evaluation = evaluation_of(recipe, measured, history, labels, target)
    values = write_results(REPORTS, evaluation)
    write_text(REPORTS / "confusion.csv", dump_csv(list(CONFUSION), confusion))
    curves = pd.DataFrame(evaluation.tables.curves)
    misread = pd.DataFrame(evaluation.tables.errors, columns=list(ERRORS))
    title = f"{recipe.name}, {params.seeds} seed{'s' * (params.seeds > 1)}"
    write_bytes(REPORTS / "curves.png", pictures.curves(pd.DataFrame(history), curves, target, title))
    write_bytes(REPORTS / "confusion.png", pictures.confusion(pd.DataFrame(confusion), title, data_set.classes))
    write_bytes(REPORTS / "errors.png", pictures.misread(misread, images, params.seeds, title, data_set))
    print(f"evaluate: {headline(recipe.name, params.seeds, values, len(labels))}")


if __name__ == "__main__":
    run_stage("evaluate", main)
