"""Train the planned recipe once for each random seed.

Usage:       python -m stages.train
Reads:       reports/recipe.yaml, datasets/<data set>.yaml, data/sets/<data set>/processed/train.safetensors
Parameters:  seeds
Environment: DATA_SOURCE, as of the stage `download`; one that is not there or empty stops this stage
Writes:      data/models/seed-<seed>/epoch-<epoch>.safetensors (the weights after every epoch),
             reports/history.csv (seed, epoch, learning_rate, and running train and, where there is one, holdout loss
             and accuracy; rewritten every epoch), reports/timing.json (not kept by DVC or Git)

Every finished epoch is kept in .runs/. A training that was stopped continues there.
"""

import json
import time

from ladder import cards, machine
from ladder.command import parser, run_stage
from ladder.data import sources
from ladder.data.data_set import read_data_set
from ladder.data.splits import read_split
from ladder.evaluation.tables import history_csv
from ladder.files import write_text
from ladder.paths import REPORTS, model_path
from ladder.runs.plans import warn_if_bits_differ


def write_history(rows: dict[int, list[dict]]) -> None:
    """Write reports/history.csv for {seed: rows of its epochs}."""
    write_text(REPORTS / "history.csv", history_csv(rows))


def main(given: list[str] | None = None) -> None:
    parser("stages.train", __doc__).parse_args(given)
    seeds = range(cards.read_params().seeds)
    recipe = cards.read_recipe(REPORTS / "recipe.yaml")
    sources.check_named_folder(read_data_set(recipe.data))
    # these import torch, which takes seconds
    from ladder.data.tensors import write_tensors
    from ladder.runs.pool import computed_here, train_seeds, training_pool

    start = time.monotonic()
    with training_pool(machine.side_by_side(recipe, len(seeds))) as executor:
        recipe = warn_if_bits_differ(recipe, computed_here([recipe], executor)[recipe.name])
        runs = train_seeds(recipe, read_split("train", recipe.data), seeds, executor, on_epoch=write_history)
    for seed, epochs in runs.items():
        for epoch in epochs:
            write_tensors(model_path(seed, epoch.row["epoch"]), epoch.weights)
    write_history({seed: [epoch.row for epoch in epochs] for seed, epochs in runs.items()})
    seconds = round(time.monotonic() - start, 1)
    write_text(REPORTS / "timing.json", json.dumps({"seconds": seconds, "seeds": len(seeds)}) + "\n")
    print(f"train: {recipe.name}, seeds: {len(seeds)}, epochs: {recipe.epochs}, {seconds:.0f} s")


if __name__ == "__main__":
    run_stage("train", main)
