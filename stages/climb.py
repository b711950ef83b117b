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
from stages import run_stage
from stages.evaluate import results, said, write_results
from stages.train import PROCESSED, REPORTS, checked, history_table

RUNGS = REPORTS / "rungs"
PIPELINE = Path("rungs/dvc.yaml")


def arguments():
    """Return the command line's arguments."""
    parser = argparse.ArgumentParser(prog="python -m stages.climb", description=__doc__.splitlines()[0])
    parser.add_argument("rung")
    parser.add_argument("--seeds", type=int, required=True)
    return parser.parse_args()


def trained(recipe, seeds, images, labels):
    """Return (Recipe, {seed: [Epoch, ...]}): from the store, or trained now with the bits found here."""
    from ladder import store
    from ladder.pool import computed_here, train_seeds, training_pool

    stored = {seed: store.load(store.folder_of(recipe, images, labels, seed), recipe.epochs) for seed in seeds}
    if all(len(epochs) == recipe.epochs for epochs in stored.values()):
        return recipe, stored
    with training_pool(machine.side_by_side(recipe, len(seeds))) as executor:
        recipe = checked(recipe, computed_here([recipe], executor)[recipe.rung], f"{PIPELINE}:plan@{recipe.rung}")
        return recipe, train_seeds(recipe, images, labels, seeds, executor)


def measure_run(recipe, seed):
    """Return the Measured of a run in the store, in a process of its own."""
    from ladder import store
    from ladder.measure import measure
    from ladder.tensors import read_tensors

    train, test = (read_tensors(PROCESSED / f"{split}.safetensors") for split in ("train", "test"))
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
    from ladder.pool import process_pool
    from ladder.tensors import read_tensors

    train = read_tensors(PROCESSED / "train.safetensors")
    recipe, runs = trained(recipe, seeds, train["images"], train["labels"])
    with process_pool(machine.side_by_side(recipe, len(seeds))) as executor:
        measured = dict(zip(seeds, executor.map(measure_run, repeat(recipe), seeds), strict=True))
    rows = {seed: [epoch.row for epoch in epochs] for seed, epochs in runs.items()}
    history = pd.read_csv(io.StringIO(history_table(rows)))
    labels = read_tensors(PROCESSED / "test.safetensors")["labels"].numpy()
    found, curves, errors = results(recipe, measured, history, labels, target)
    write_results(RUNGS / asked.rung, found, {"curves": curves, "errors": errors})
    print(f"climb: {asked.rung}, seeds: {asked.seeds}: {said(found, len(labels))}")


if __name__ == "__main__":
    run_stage("climb", main)
