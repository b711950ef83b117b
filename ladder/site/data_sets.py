"""The data sets that the page shows: where their reports, images and trained networks are."""

import csv
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ladder import cards
from ladder.board.page import further_data
from ladder.comparison.reports import Report, read_report
from ladder.comparison.snapshots import WORKSPACE, find
from ladder.data import data_set
from ladder.data.tensors import read_tensors
from ladder.paths import DEFAULT_DATA, REPORTS, RUNGS

SHOWN = (1, 28, 28)  # channels, rows and columns of the pictures that the page's scripts paint and read


@dataclass(frozen=True)
class DataSet:
    """One data set. name: part of addresses; title: for people; things: what its images show, such as digits.

    drawable: whether people can draw them. licence: who made it, and its terms. classes: their names, in the order of
    labels. reports: the folder with a folder for each rung. images: the safetensors file of the test images, which may
    be missing. part_of_recipes: what recipes for it say of its images.
    """

    name: str
    title: str
    things: str
    drawable: bool
    licence: str
    classes: tuple[str, ...]
    target: float | None
    reports: Path
    images: Path
    part_of_recipes: dict[str, Any]


def data_sets() -> list[DataSet]:
    """Return the data sets that rungs were climbed on, the default one first."""
    return [_shown(data_set.read_data_set(name)) for name in (DEFAULT_DATA, *further_data())]


def _shown(card):
    return DataSet(
        name=card.name,
        title=card.title,
        things=card.things,
        drawable=card.name == DEFAULT_DATA,
        licence=card.licence,
        classes=card.classes,
        target=card.target,
        reports=RUNGS if card.name == DEFAULT_DATA else REPORTS / card.name,
        images=card.processed / "test.safetensors",
        part_of_recipes=card.part_of_recipes,
    )


def read_reports(data: DataSet) -> dict[str, Report]:
    """Return {rung: Report} of the rungs that were climbed, in natural order. Raises LadderError for a bad report."""
    snapshot = find(WORKSPACE)
    climbed = sorted((path.parent.name for path in data.reports.glob("*/metrics.json")), key=cards.natural)
    return {rung: read_report(snapshot, (data.reports / rung).as_posix(), rung) for rung in climbed}


def read_images(data: DataSet) -> dict[str, bytes] | None:
    """Return the test images and their labels, a byte a pixel and a byte a label, as the page shows them.

    None where they are not on this machine, or not grey images of 28 x 28.
    """
    if not data.images.is_file():
        return None
    test = read_tensors(data.images)
    if test["images"].shape[1:] != SHOWN:
        return None
    return {key: test[key].numpy().tobytes() for key in ("images", "labels")}


def read_rows(path: Path) -> list[dict[str, str]]:
    """Return the rows of a CSV file by the names of its columns."""
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))
