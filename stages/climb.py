"""Train and measure one rung of the ladder as its card says: `train` and `evaluate` in one.

Usage: python -m stages.climb <rung> --seeds <number>
Reads: reports/rungs/<rung>/recipe.yaml, data/processed/. Parameter: evaluate.target.
Writes: reports/rungs/<rung>/{metrics.json,curves.csv,errors.csv}, as `evaluate` writes them to reports/.
Runs that are in .runs/ already, from whichever pipeline, are only measured: see commands/train_ladder.py.
"""

import argparse
from itertools import repeat

from ladder import cards, machine
from ladder.command import run_stage
from ladder.data.splits import read_split
from ladder.evaluation.tables import said, write_rung
from ladder.exceptions import LadderError
from ladder.paths import RUNGS
from ladder.runs.plans import train_missing


def arguments():
    """Return the command line's arguments."""
    parser = argparse.ArgumentParser(prog="python -m stages.climb", description=__doc__.splitlines()[0])
    parser.add_argument("rung")
    parser.add_argument("--seeds", type=int, required=True)
    return parser.parse_args()


def measure_run(recipe, seed):
    """Return the Measured of a run in the store, in a process of its own."""
    from ladder.evaluation.measure import measure
    from ladder.runs import store

    train, test = read_split("train"), read_split("test")
    epochs = store.finished(recipe, train["images"], train["labels"], seed)
    return measure(recipe, [epoch.weights for epoch in epochs], train, test)


def main():
    asked = arguments()
    if asked.seeds < 1:
        raise LadderError(f"--seeds is {asked.seeds}; it must be 1 or more")
    target = cards.read_params().evaluate.target
    recipe = cards.read_recipe(RUNGS / asked.rung / "recipe.yaml")
    seeds = range(asked.seeds)
    machine.configure(recipe.portable)
    # torch reads what `configure` set when it is imported
    from ladder.runs import store
    from ladder.runs.pool import process_pool

    train = read_split("train")
    recipe = train_missing(recipe, seeds, train["images"], train["labels"])
    with process_pool(machine.side_by_side(recipe, len(seeds))) as executor:
        measured = dict(zip(seeds, executor.map(measure_run, repeat(recipe), seeds), strict=True))
    rows = {seed: store.rows(store.folder_of(recipe, train["images"], train["labels"], seed)) for seed in seeds}
    labels = read_split("test")["labels"].numpy()
    found = write_rung(RUNGS / asked.rung, recipe, measured, rows, labels, target)
    print(f"climb: {asked.rung}, seeds: {asked.seeds}: {said(found, len(labels))}")


if __name__ == "__main__":
    run_stage("climb", main)
