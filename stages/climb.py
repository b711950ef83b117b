"""Train and measure one rung of the ladder as its card says: the stages `train` and `evaluate` in one.

Usage:      python -m stages.climb <rung> --seeds <number>
            python -m stages.climb <rung> --data <data set> --seeds <number>
Reads:      reports/rungs/<rung>/recipe.yaml, data/sets/mnist/processed/, datasets/mnist.yaml; on a further data set
            reports/<data set>/<rung>/recipe.yaml and what lies under its name
Writes:     beside recipe.yaml metrics.json, curves.csv and errors.csv, in the form that `evaluate` gives to reports/

Runs that are in .runs/ already are only measured, whichever pipeline or command trained them.
"""

import argparse
from itertools import repeat
from typing import TYPE_CHECKING

from ladder import cards, command, machine
from ladder.data.data_set import read_data_set
from ladder.data.splits import read_split
from ladder.evaluation.metrics import headline
from ladder.evaluation.tables import evaluation_of, history_rows, write_results
from ladder.paths import DEFAULT_DATA, rung_folder, rung_on
from ladder.runs.plans import read_plan, train_missing

if TYPE_CHECKING:
    from ladder.evaluation.measure import Measured


def arguments(given: list[str] | None = None) -> argparse.Namespace:
    """Return the command line's arguments. A wrong one ends the program with exit code 2."""
    reader = command.parser("stages.climb", __doc__)
    reader.add_argument("rung", type=command.name, help="a rung that the stage `plan` has planned")
    reader.add_argument("--data", type=command.name, default=DEFAULT_DATA, metavar="DATA_SET", help="its images")
    number = command.whole_number(1, 100)
    reader.add_argument("--seeds", type=number, required=True, metavar="NUMBER", help="train from seeds 0, 1, ...")
    return reader.parse_args(given)


def measure_run(recipe: cards.Recipe, seed: int) -> "Measured":
    """Return the Measured of a run in the store, in a process of its own."""
    from ladder.evaluation.measure import measure
    from ladder.runs import store

    train, test = (read_split(split, recipe.data) for split in ("train", "test"))
    epochs = store.finished(recipe, train, seed)
    return measure(recipe, [epoch.weights for epoch in epochs], train, test)


def main(given: list[str] | None = None) -> None:
    asked = arguments(given)
    recipe = read_plan(rung_on(asked.data, asked.rung))
    target = read_data_set(recipe.data).target
    seeds = range(asked.seeds)
    # these import torch, which takes seconds
    from ladder.runs import store
    from ladder.runs.pool import process_pool

    train = read_split("train", recipe.data)
    recipe = train_missing(recipe, seeds, train)
    with process_pool(machine.side_by_side(recipe, len(seeds))) as executor:
        measured = dict(zip(seeds, executor.map(measure_run, repeat(recipe), seeds), strict=True))
    rows = {seed: store.rows(store.folder_of(recipe, train, seed)) for seed in seeds}
    labels = read_split("test", recipe.data).labels.numpy()
    evaluation = evaluation_of(recipe, measured, history_rows(rows), labels, target)
    values = write_results(rung_folder(recipe.name), evaluation)
    print(f"climb: {headline(recipe.name, asked.seeds, values, len(labels))}")


if __name__ == "__main__":
    command.run_stage("climb", main)
