"""Train the planned recipe once for each random seed.

Reads: reports/recipe.yaml, data/processed/train.safetensors. Parameter: seeds.
Writes: data/models/seed-<seed>/epoch-<epoch>.safetensors (the weights after every epoch),
reports/history.csv (seed, epoch, learning_rate, and running train and, where there is one, holdout loss and
accuracy; rewritten every epoch), reports/timing.json (not kept by DVC or Git).
Epochs are kept in .runs/ as they are finished: a killed training continues there.
"""

import json
import time
from pathlib import Path

from ladder import cards, machine
from ladder.files import dump_csv, write_text
from stages import REPORTS, read_split, run_stage

MODELS = Path("data/models")


def checked(recipe, found, plan="plan"):
    """Return the recipe with the fingerprint found here; say so where it is not the one that the stage `plan` found."""
    if found != recipe.fingerprint:
        print(
            f"{recipe.rung}: this machine computes other bits than those planned (another processor, library or code), "
            "so the results will differ in their last digits: do not push them, or plan with these bits first, by "
            f"`dvc repro --single-item --force {plan}`",
            flush=True,
        )
    return recipe.model_copy(update={"fingerprint": found})


def history_table(rows):
    """Return reports/history.csv, as text, for {seed: rows of its epochs}."""
    fields = ["epoch", "learning_rate", "train_loss", "train_accuracy", "holdout_loss", "holdout_accuracy"]
    rounded = (
        {"seed": seed} | {key: _rounded(row[key]) for key in fields}
        for seed, of_seed in rows.items()
        for row in of_seed
    )
    return dump_csv(["seed", *fields], rounded)


def write_history(rows):
    """Write reports/history.csv for {seed: rows of its epochs}."""
    write_text(REPORTS / "history.csv", history_table(rows))


def _rounded(value):
    return round(value, 6) if isinstance(value, float) else value


def model_path(seed, epoch):
    """Return where the weights of a seed after an epoch (from 1) are."""
    return MODELS / f"seed-{seed}" / f"epoch-{epoch:03d}.safetensors"


def main():
    seeds = range(cards.read_params().seeds)
    recipe = cards.read_recipe(REPORTS / "recipe.yaml")
    machine.configure(recipe.portable)
    # torch reads what `configure` set when it is imported
    from ladder.pool import computed_here, train_seeds, training_pool
    from ladder.tensors import write_tensors

    start = time.monotonic()
    with training_pool(machine.side_by_side(recipe, len(seeds))) as executor:
        recipe = checked(recipe, computed_here([recipe], executor)[recipe.rung])
        data = read_split("train")
        runs = train_seeds(recipe, data["images"], data["labels"], seeds, executor, on_epoch=write_history)
    for seed, epochs in runs.items():
        for epoch in epochs:
            write_tensors(model_path(seed, epoch.row["epoch"]), epoch.weights)
    write_history({seed: [epoch.row for epoch in epochs] for seed, epochs in runs.items()})
    seconds = round(time.monotonic() - start, 1)
    write_text(REPORTS / "timing.json", json.dumps({"seconds": seconds, "seeds": len(seeds)}) + "\n")
    print(f"train: {recipe.rung}, seeds: {len(seeds)}, epochs: {recipe.epochs}, {seconds:.0f} s")


if __name__ == "__main__":
    run_stage("train", main)
