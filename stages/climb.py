"""Train and measure one rung of the ladder as its card says: `train` and `evaluate` in one.

Usage: python -m stages.climb <rung> --seeds <number>
Reads: reports/rungs/<rung>/recipe.yaml, data/processed/. Parameter: evaluate.target.
Writes: reports/rungs/<rung>/{metrics.json,curves.csv,errors.csv}, as `evaluate` writes them to reports/.
Runs that are in .runs/ already, from whichever pipeline, are only measured: see stages/ahead.py.
"""

import argparse
import io
from itertools import repeat
from pathlib import Path

import pandas as pd

from ladder import cards, machine
from ladder.errors import LadderError
from stages import REPORTS, read_split, run_stage
from stages.evaluate import results, said, write_results
from stages.train import checked, history_table

RUNGS = REPORTS / "rungs"
PIPELINE = Path("rungs/dvc.yaml")


def arguments():
    """Return the command line's arguments."""
    parser = argparse.ArgumentParser(prog="python -m stages.climb", description=__doc__.splitlines()[0])
    parser.add_argument("rung")
    parser.add_argument("--seeds", type=int, required=True)
    return parser.parse_args()


def trained(recipe, seeds, images, labels):
    """Train what the store lacks of a rung's runs. Return its Recipe, with the bits found here if any were lacking."""
    from ladder import store
    from ladder.pool import computed_here, train_seeds, training_pool

    folders = (store.folder_of(recipe, images, labels, seed) for seed in seeds)
    if all(len(store.load(folder, recipe.epochs)) == recipe.epochs for folder in folders):
        return recipe
    with training_pool(machine.side_by_side(recipe, len(seeds))) as executor:
        recipe = checked(recipe, computed_here([recipe], executor)[recipe.rung], f"{PIPELINE}:plan@{recipe.rung}")
        train_seeds(recipe, images, labels, seeds, executor)
    return recipe


def measure_run(recipe, seed):
    """Return the Measured of a run in the store, in a process of its own."""
    from ladder import store
    from ladder.measure import measure

    train, test = read_split("train"), read_split("test")
    epochs = store.finished(recipe, train["images"], train["labels"], seed)
    return measure(recipe, [epoch.weights for epoch in epochs], train, test)


def write_rung(folder, recipe, measured, rows, labels, target):
    """Write a rung's metrics.json and tables into a folder, from {seed: Measured} and {seed: rows of its epochs}.

    Return what metrics.json has. labels: of the test images, int or uint8 [N].
    """
    history = pd.read_csv(io.StringIO(history_table(rows)))
    found, curves, errors = results(recipe, measured, history, labels, target)
    write_results(folder, found, {"curves": curves, "errors": errors})
    return found


def main():
    asked = arguments()
    if asked.seeds < 1:
        raise LadderError(f"--seeds is {asked.seeds}; it must be 1 or more")
    target = cards.read_params().evaluate.target
    recipe = cards.read_recipe(RUNGS / asked.rung / "recipe.yaml")
    seeds = range(asked.seeds)
    machine.configure(recipe.portable)
    # torch reads what `configure` set when it is imported
    from ladder import store
    from ladder.pool import process_pool

    train = read_split("train")
    recipe = trained(recipe, seeds, train["images"], train["labels"])
    with process_pool(machine.side_by_side(recipe, len(seeds))) as executor:
        measured = dict(zip(seeds, executor.map(measure_run, repeat(recipe), seeds), strict=True))
    rows = {seed: store.rows(store.folder_of(recipe, train["images"], train["labels"], seed)) for seed in seeds}
    labels = read_split("test")["labels"].numpy()
    found = write_rung(RUNGS / asked.rung, recipe, measured, rows, labels, target)
    print(f"climb: {asked.rung}, seeds: {asked.seeds}: {said(found, len(labels))}")


if __name__ == "__main__":
    run_stage("climb", main)
