"""The data sets that the page shows: where their reports, images and trained networks are."""

import csv
from dataclasses import dataclass
from pathlib import Path

from ladder import cards
from ladder.comparison.reports import Report, read_report
from ladder.comparison.snapshots import WORKSPACE, find
from ladder.data.tensors import read_tensors
from ladder.paths import PROCESSED, REPORTS

SHOWN = (1, 28, 28)  # channels, rows and columns of the pictures that the page's scripts paint and read


@dataclass(frozen=True)
class DataSet:
    """One data set. name: part of addresses; title: for people; licence: who made it, and its terms.

    classes: their names, in the order of labels. reports: the folder with `rungs/<rung>/`. images: the safetensors
    file of the test images, which may be missing.
    """

    name: str
    title: str
    licence: str
    classes: tuple[str, ...]
    reports: Path
    images: Path


MNIST = DataSet(
    name="mnist",
    title="MNIST",
    licence="MNIST is by Yann LeCun, Corinna Cortes and Christopher J. C. Burges, under CC BY-SA 3.0.",
    classes=tuple(str(digit) for digit in range(10)),
    reports=REPORTS,
    images=PROCESSED / "test.safetensors",
)


def data_sets() -> list[DataSet]:
    """Return the data sets to show, the default one first."""
    return [MNIST]


def read_reports(data: DataSet) -> dict[str, Report]:
    """Return {rung: Report} of the rungs that were climbed, in natural order. Raises LadderError for a bad report."""
    snapshot = find(WORKSPACE)
    climbed = sorted((path.parent.name for path in data.reports.glob("rungs/*/metrics.json")), key=cards.natural)
    return {rung: read_report(snapshot, (data.reports / "rungs" / rung).as_posix(), rung) for rung in climbed}


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
