"""The ladder as a table in a terminal, from reports/ladder.csv."""

import csv
import io
from collections.abc import Iterable, Mapping, Sequence

from rich.table import Table
from rich.text import Text

from ladder.evaluation.numbers import NONE, interval, number
from ladder.exceptions import LadderError

Row = Mapping[str, str]
OWN = "own"  # in place of a project's number
NUMBERS = ("parameters", "accuracy")  # which every row has
ROOMY = 110  # columns, from which on there is room for all
LEGEND = "±: deviation of the seeds; [ ]: 95 % interval of the step"
COLOURS = {"better": "green", "worse": "red"}


def read_rows(content: str) -> list[dict[str, str]]:
    """Return the rows of ladder.csv as {column: text}. Raises LadderError where it is not what `board` writes."""
    rows = list(csv.DictReader(io.StringIO(content)))
    try:
        for row in rows:
            for key in NUMBERS:
                float(row[key])
            row["rung"], row["project"] = row["rung"] or NONE, row["project"] or OWN
    except (KeyError, TypeError, ValueError):
        raise LadderError("reports/ladder.csv is damaged; `git restore reports/ladder.csv` brings it back") from None
    return rows


def of_project(rows: Iterable[Row], project: str) -> list[Row]:
    """Return the rows of one project. Raises LadderError where there is no such project."""
    rows = list(rows)
    found = [row for row in rows if row["project"] == project]
    if not found:
        known = ", ".join(sorted({row["project"] for row in rows}))
        raise LadderError(f"there is no project {project!r:.40}; there are {known}")
    return found


def best(rows: Iterable[Row]) -> list[Row]:
    """Return the rows that no other beats: none is more accurate with as few parameters, or smaller and as accurate."""
    rows = list(rows)
    return [row for row in rows if not any(_beats(other, row) for other in rows)]


def in_order(rows: Iterable[Row], key: str) -> list[Row]:
    """Return the rows by `accuracy` or `step`, the largest first, or by `parameters`, the fewest first.

    A row without the value comes last.
    """
    column, sign = {"accuracy": ("accuracy", -1), "step": ("step_change", -1), "parameters": ("parameters", 1)}[key]

    def place(row):
        value = value_of(row, column)
        return (value is None, sign * (value or 0.0))

    return sorted(rows, key=place)


def table(rows: Sequence[Row], width: int) -> Table:
    """Return the rows as a table that fits a terminal of `width` columns, 80 or more."""
    roomy = width >= ROOMY
    made = Table(box=None, padding=(0, 1, 0, 0), pad_edge=False, header_style="bold")
    made.add_column("rung", overflow="fold")
    for title in ("params", "accuracy, %", "the step"):
        made.add_column(title, justify="right", no_wrap=True)
    made.add_column("verdict", overflow="fold")
    if roomy:
        for title in ("project", "against", "reported is"):
            made.add_column(title, overflow="fold")
    for row in rows:
        cells = [
            Text(row["rung"]),
            f"{value_of(row, 'parameters'):,.0f}",
            Text(_reached(row)),
            Text(_step(row)),
            _verdict(row.get("step_verdict")),
        ]
        more = [Text(row.get(key) or NONE) for key in ("project", "against", "reported_verdict")]
        made.add_row(*cells, *(more if roomy else []))
    return made


def _reached(row):
    """Return "99.41 ± 0.07", the accuracy and the deviation of the seeds, without the latter where there is none."""
    deviation = value_of(row, "accuracy_sd")
    shown = number(value_of(row, "accuracy"), 2)
    return shown if deviation is None else f"{shown} ± {number(deviation, 2)}"


def _step(row):
    """Return "+0.12 [0.05, 0.20]", the change and its 95 % interval."""
    change, ends = value_of(row, "step_change"), {end: value_of(row, f"step_{end}") for end in ("low", "high")}
    return NONE if change is None else f"{number(change, 2, '+')} {interval(ends, 2)}"


def value_of(row: Row, column: str) -> float | None:
    """Return a row's number, or None where the cell is empty, no number, or the column is not there."""
    try:
        return float(row[column])
    except (KeyError, TypeError, ValueError):
        return None


def _verdict(verdict):
    return Text(verdict or NONE, COLOURS.get(verdict, "default" if verdict else "dim"))


def _beats(other, row):
    theirs, ours = ((-value_of(of, "parameters"), value_of(of, "accuracy")) for of in (other, row))
    return theirs != ours and all(their >= our for their, our in zip(theirs, ours, strict=True))
