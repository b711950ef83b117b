"""A receipt: one seed of reported results, drawn at random, is trained again and must give the same bytes."""

import hashlib
import secrets
from dataclasses import dataclass

from ladder import cards
from ladder.comparison.parsing import yaml_mapping
from ladder.comparison.snapshots import Snapshot
from ladder.data.splits import preprocess, read_split
from ladder.evaluation.measure import measure
from ladder.evaluation.tables import CURVES, ERRORS, curves_rows, errors_rows
from ladder.exceptions import LadderError
from ladder.files import dump_csv
from ladder.paths import processed_folder, rung_folder
from ladder.training.run import run

FILES = ("curves.csv", "errors.csv")


@dataclass(frozen=True)
class Reported:
    """What a Snapshot reports of a rung. lines: those of curves.csv and errors.csv, without their heads."""

    where: str
    recipe: cards.Recipe
    lines: list[str]

    @property
    def seeds(self) -> list[int]:
        """The seeds that it was trained from."""
        return sorted({int(line.partition(",")[0]) for line in self.lines})


def read(snapshot: Snapshot, rung: str | None) -> Reported:
    """Return what a Snapshot reports of a rung; None is the pipeline's own.

    Raises LadderError where there are no reports, or no images to train it on.
    """
    folder = rung_folder(rung).as_posix() if rung else snapshot.folder
    path = f"{folder}/recipe.yaml"
    recipe = cards.validated(cards.Recipe, yaml_mapping(snapshot.text(path)), path)
    lines = [line for name in FILES for line in snapshot.text(f"{folder}/{name}").splitlines()[1:]]
    needed = [processed_folder(recipe.data) / f"{split}.safetensors" for split in ("train", "test")]
    if missing := next((path for path in needed if not path.is_file()), None):
        raise LadderError(f"a receipt needs {missing}; `dvc repro {preprocess(recipe.data)}` makes it")
    return Reported(snapshot.name, recipe, lines)


def receipt(reported: Reported, seed: int | None = None) -> tuple[bool, str]:
    """Train one seed here again, a random one if none is given. Return (equal, a line that says it).

    What is compared is the SHA-256 of that seed's lines in curves.csv and errors.csv: its accuracy and loss after each
    epoch, and each misread image with its prediction and confidence. (metrics.json is not compared.)
    """
    if seed is None:
        seed = secrets.choice(reported.seeds)
    expected = _hash(line for line in reported.lines if line.startswith(f"{seed},"))
    found = _hash(_lines(reported.recipe, seed))
    what = f"receipt: {reported.recipe.name}, seed {seed}, {reported.recipe.epochs} epochs trained again: {found}"
    if found == expected:
        return True, f"{what}, as reported in {reported.where}"
    return False, f"{what}, but reported in {reported.where} is {expected}"


def _lines(recipe, seed):
    """Return the lines of curves.csv and errors.csv for a seed that is trained here and now."""
    train, test = (read_split(split, recipe.data) for split in ("train", "test"))
    measured = {seed: measure(recipe, [epoch.weights for epoch in run(recipe, train, seed)], train, test)}
    tables = {tuple(CURVES): curves_rows(measured), tuple(ERRORS): errors_rows(measured, test.labels.numpy())}
    return [line for columns, rows in tables.items() for line in dump_csv(list(columns), rows).splitlines()[1:]]


def _hash(lines):
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()
