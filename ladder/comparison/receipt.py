"""A receipt: one seed of committed results, drawn at random, is trained again and must give the same bytes."""

import hashlib
import secrets
from pathlib import Path

from ladder import cards
from ladder.comparison.snapshots import FOLDER
from ladder.data.splits import read_split
from ladder.evaluation.measure import measure
from ladder.evaluation.tables import CURVES, ERRORS, curves_rows, errors_rows
from ladder.exceptions import LadderError
from ladder.files import dump_csv
from ladder.paths import rung_folder
from ladder.training.run import run


def receipt(rung: str | None, seed: int | None = None) -> tuple[bool, str]:
    """Train one seed of a rung's reports here again; None is the pipeline's own. Return (equal, a line that says it).

    What is compared is the SHA-256 of that seed's lines in curves.csv and errors.csv: its accuracy and loss after each
    epoch, and each misread image with its prediction and confidence. Raises LadderError where there are no reports.
    """
    folder = rung_folder(rung) if rung else Path(FOLDER)
    recipe = cards.read_recipe(folder / "recipe.yaml")
    committed = {name: (folder / name).read_text().splitlines()[1:] for name in ("curves.csv", "errors.csv")}
    seeds = sorted({int(line.partition(",")[0]) for line in committed["curves.csv"]})
    if seed is None:
        seed = secrets.choice(seeds)
    elif seed not in seeds:
        raise LadderError(f"{folder}/curves.csv has no seed {seed}; it has {', '.join(map(str, seeds))}")
    expected = _hash(line for lines in committed.values() for line in lines if line.startswith(f"{seed},"))
    found = _hash(_lines(recipe, seed))
    what = f"{recipe.name}, seed {seed}, {recipe.epochs} epochs trained again"
    if found == expected:
        return True, f"receipt: {what}: {found}, as committed"
    return False, f"receipt: {what}: {found}, but committed is {expected}"


def _lines(recipe, seed):
    """Return the lines of curves.csv and errors.csv for a seed that is trained here and now."""
    train, test = (read_split(split, recipe.data) for split in ("train", "test"))
    measured = {seed: measure(recipe, [epoch.weights for epoch in run(recipe, train, seed)], train, test)}
    tables = {tuple(CURVES): curves_rows(measured), tuple(ERRORS): errors_rows(measured, test.labels.numpy())}
    return [line for columns, rows in tables.items() for line in dump_csv(list(columns), rows).splitlines()[1:]]


def _hash(lines):
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()
