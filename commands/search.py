"""Try candidates for a rung, and rank them by the accuracy on training images held out. Never opens the test images.

Usage: python -m commands.search <name>.yaml. It holds `seeds`, a list of random seeds; `holdout`, a number of training
images; optionally `train`, with epochs, batch_size or learning_rate for all; and `candidates`, cards by name, which may
extend each other and the rungs. Reads: that file, rungs/cards/, data/processed/train.safetensors. Writes: <name>.csv
beside it, the best first. Runs are kept in .runs/, so a search that was stopped continues, and one with new candidates
trains only those. A candidate that cannot train two batches stops all before any work; where one fails later, the
others are ranked without it.
"""

import argparse
import shutil
import tempfile
from pathlib import Path
from statistics import fmean, stdev
from typing import Annotated

from pydantic import Field, field_validator

from ladder import cards, machine
from ladder.cards import parameters, work
from ladder.command import run_stage
from ladder.data.splits import read_split
from ladder.exceptions import LadderError
from ladder.files import dump_csv, dump_yaml, read_yaml, write_text

COLUMNS = ["candidate", "parameters", "epochs", "work", "holdout_accuracy", "sd", "train_accuracy", "by_seed"]


class Search(cards.Strict):
    """A search's file."""

    seeds: list[int] = Field(min_length=1)
    holdout: Annotated[cards.Holdout, Field(gt=0)]
    candidates: dict[Annotated[str, Field(pattern=r"^[\w.-]+$")], dict]
    train: cards.Overrides = cards.Overrides()

    @field_validator("seeds")
    @classmethod
    def _once_each(cls, seeds):
        if len(set(seeds)) < len(seeds):
            raise ValueError(f"{seeds} has a seed twice")
        return seeds


def read_search(path):
    """Return ({candidate: Recipe}, seeds) of a search's file. Raises LadderError."""
    search = cards.validated(Search, read_yaml(path), path)
    with tempfile.TemporaryDirectory() as folder:
        shutil.copytree(cards.CARDS, folder, dirs_exist_ok=True)
        for name, card in search.candidates.items():
            if (Path(folder) / f"{name}.yaml").exists():
                raise LadderError(f"{path}: candidates: {name!r} is a rung already; give it another name")
            said = {"title": name, "goal": "none"} | card
            recipe = cards.validated(cards.Card, said, f"{path}: candidates: {name}.yaml").recipe
            said["recipe"] = recipe | {"holdout": search.holdout}
            (Path(folder) / f"{name}.yaml").write_text(dump_yaml(said))
        try:
            return {name: cards.resolve(name, search.train, folder) for name in search.candidates}, search.seeds
        except LadderError as error:
            raise LadderError(str(error).replace(f"{folder}/", f"{path}: candidates: ")) from None


def table(recipes, rows, seeds):
    """Return the CSV text, the best first. rows: {candidate: the last row of each seed}, where all have ended."""
    lines = []
    for name in rows:
        recipe, reached = recipes[name], [row["holdout_accuracy"] for row in rows[name]]
        lines.append(
            {
                "candidate": name,
                "parameters": parameters(recipe),
                "epochs": recipe.epochs,
                "work": f"{work(recipe):.3g}",
                "holdout_accuracy": round(fmean(reached), 4),
                "sd": round(stdev(reached), 4) if len(reached) > 1 else None,
                "train_accuracy": round(fmean(row["train_accuracy"] for row in rows[name]), 4),
                "by_seed": " ".join(f"{seed}:{value:.2f}" for seed, value in zip(seeds, reached, strict=True)),
            }
        )
    return dump_csv(COLUMNS, sorted(lines, key=lambda line: -line["holdout_accuracy"]))


def main():
    parser = argparse.ArgumentParser(prog="python -m commands.search", description=__doc__.splitlines()[0])
    parser.add_argument("file", type=Path)
    path = parser.parse_args().file
    recipes, seeds = read_search(path)
    # these import torch, which takes seconds
    from ladder.runs import store
    from ladder.runs.pool import RunsFailedError, computed_here, train_many, training_pool

    data = read_split("train")
    images, labels = data["images"], data["labels"]
    fault = None
    with training_pool(machine.workers()) as executor:
        found = computed_here(recipes.values(), executor)
        recipes = {name: recipe.model_copy(update={"fingerprint": found[name]}) for name, recipe in recipes.items()}
        try:
            train_many([(recipe, seed) for recipe in recipes.values() for seed in seeds], images, labels, executor)
        except RunsFailedError as error:
            fault = error
    rows = {
        name: [store.rows(store.folder_of(recipe, images, labels, seed)) for seed in seeds]
        for name, recipe in recipes.items()
    }
    ended = {
        name: [of_seed[-1] for of_seed in by_seed]
        for name, by_seed in rows.items()
        if all(len(of_seed) == recipes[name].epochs for of_seed in by_seed)
    }
    text = table(recipes, ended, seeds)
    write_text(path.with_suffix(".csv"), text)
    print(text, end="")
    if fault:
        raise LadderError(f"{fault}; not ranked: {', '.join(name for name in recipes if name not in ended)}")


if __name__ == "__main__":
    run_stage("search", main)
