"""Try candidates for a rung, and rank them by their accuracy on held-out training images. Never opens the test images.

Usage:  python -m commands.search <file>.yaml
Reads:  the file, rungs/cards/, datasets/<data set>.yaml, data/sets/<data set>/processed/train.safetensors
Writes: <file>.csv beside it, the best candidate first; .runs/

The file holds:
    seeds       a list of random seeds
    holdout     how many training images to hold out, a multiple of 10
    data        optional: the data set, mnist if not given
    train       optional: epochs, batch_size or learning_rate for all candidates
    candidates  cards by name; they may extend each other and the rungs

A search that was stopped continues. A search with new candidates trains only those. A candidate that cannot train two
batches stops the search before any work. Where one fails later, the others are ranked without it.
"""

import shutil
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import fmean, stdev
from typing import Annotated

from pydantic import Field, field_validator

from ladder import cards, command, machine
from ladder.cards import parameters, work
from ladder.data.data_set import read_data_set
from ladder.data.splits import Split, read_split
from ladder.exceptions import LadderError
from ladder.files import dump_csv, dump_yaml, read_yaml, write_text
from ladder.names import check_name
from ladder.paths import DEFAULT_DATA

COLUMNS = ["candidate", "parameters", "epochs", "work", "holdout_accuracy", "sd", "train_accuracy", "by_seed"]


class Search(cards.Strict):
    """A search's file."""

    seeds: list[int] = Field(min_length=1)
    holdout: Annotated[cards.Holdout, Field(gt=0)]
    candidates: dict[str, dict] = Field(min_length=1)
    train: cards.Overrides = cards.Overrides()
    data: cards.RungName = DEFAULT_DATA

    @field_validator("seeds")
    @classmethod
    def _once_each(cls, seeds):
        if len(set(seeds)) < len(seeds):
            raise ValueError(f"{seeds} has a seed twice")
        return seeds


def read_search(path: Path) -> tuple[dict[str, cards.Recipe], list[int]]:
    """Return ({candidate: Recipe}, seeds) of a search's file. Raises LadderError."""
    search = cards.validated(Search, read_yaml(path), path)
    for name in search.candidates:
        check_name(name, f"{path}: candidates")
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
            part = None if search.data == DEFAULT_DATA else read_data_set(search.data).part_of_recipes
            recipes = {name: cards.resolve(name, search.train, folder, part) for name in search.candidates}
            return recipes, search.seeds
        except LadderError as error:
            raise LadderError(str(error).replace(f"{folder}/", f"{path}: candidates: ")) from None


def table(recipes: dict[str, cards.Recipe], rows: dict[str, list[dict]], seeds: list[int]) -> str:
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


def train(
    recipes: dict[str, cards.Recipe], seeds: Sequence[int], data: Split
) -> tuple[dict[str, cards.Recipe], LadderError | None]:
    """Train every candidate from every seed. Return (recipes with this machine's bits, the RunsFailedError or None)."""
    from ladder.runs.pool import RunsFailedError, computed_here, train_many, training_pool

    with training_pool(min(machine.workers(), len(recipes) * len(seeds))) as executor:
        found = computed_here(recipes.values(), executor)
        recipes = {
            name: recipe.model_copy(update={"fingerprint": found[recipe.name]}) for name, recipe in recipes.items()
        }
        try:
            train_many([(recipe, seed) for recipe in recipes.values() for seed in seeds], data, executor)
        except RunsFailedError as error:
            return recipes, error
    return recipes, None


def last_rows(recipes: Mapping[str, cards.Recipe], seeds: Sequence[int], data: Split) -> dict[str, list[dict]]:
    """Return {candidate: the last row of each seed} for the candidates of which every run has ended."""
    from ladder.runs import store

    found = {}
    for name, recipe in recipes.items():
        rows = [store.rows(store.folder_of(recipe, data, seed)) for seed in seeds]
        if all(len(of_seed) == recipe.epochs for of_seed in rows):
            found[name] = [of_seed[-1] for of_seed in rows]
    return found


def main(given: list[str] | None = None) -> None:
    reader = command.parser("commands.search", __doc__)
    reader.add_argument("file", type=Path, metavar="file.yaml", help="the search")
    path = reader.parse_args(given).file
    recipes, seeds = read_search(path)
    data = read_split("train", next(iter(recipes.values())).data)
    recipes, fault = train(recipes, seeds, data)
    ended = last_rows(recipes, seeds, data)
    text = table(recipes, ended, seeds)
    write_text(path.with_suffix(".csv"), text)
    print(text, end="")
    if fault:
        raise LadderError(f"{fault}; not ranked: {', '.join(name for name in recipes if name not in ended)}")


if __name__ == "__main__":
    command.run_stage("search", main)
