"""Show the ladder in the terminal: every rung, what it reached, and whether its step helped.

Usage:  python -m commands.ladder                              the most accurate first
        python -m commands.ladder --sort parameters --best     those that no other rung beats
        python -m commands.ladder --project 002                one project's; `own` for our own
        python -m commands.ladder --data fashion_mnist         the rungs that were climbed on another data set
Reads:  reports/ladder.csv; with --data the reports in reports/<data set>/
Writes: nothing
"""

import argparse
from pathlib import Path

from rich.console import Console

from ladder.board import terminal
from ladder.command import parser, run_stage
from ladder.exceptions import LadderError
from ladder.paths import DEFAULT_DATA, REPORTS

CSV = REPORTS / "ladder.csv"


def arguments(given: list[str] | None = None) -> argparse.Namespace:
    """Return the command line's arguments. A wrong one ends the program with exit code 2."""
    reader = parser("commands.ladder", __doc__)
    orders = ("accuracy", "parameters", "step")
    reader.add_argument("--sort", choices=orders, default="accuracy", help="order; by accuracy if not given")
    reader.add_argument("--project", metavar="NUMBER", help="only the rungs of this project, or `own`")
    reader.add_argument(
        "--data",
        metavar="NAME",
        default=DEFAULT_DATA,
        help=f"the data set that was climbed on; {DEFAULT_DATA} if not given",
    )
    best = "only those that no other rung beats: more accurate with as few parameters, or smaller and as accurate"
    reader.add_argument("--best", action="store_true", help=best)
    return reader.parse_args(given)


def content(path: Path) -> str:
    """Return the text of ladder.csv. Raises LadderError where there is none."""
    try:
        return path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise LadderError(f"there is no {path} yet; `make climb` makes it") from None
    except UnicodeDecodeError:
        raise LadderError(f"{path} is damaged; `git restore {path}` brings it back") from None


def content_elsewhere(data: str) -> str:
    """Return what ladder.csv would be for a further data set. Raises LadderError where no rung was climbed on it."""
    from ladder.board import page, rows  # most of a second to import

    climbed = page.further_data()
    if data not in climbed:
        raise LadderError(f"no rung was climbed on {data!r:.40}; there are {', '.join([DEFAULT_DATA, *climbed])}")
    return page.table(rows.facts(*page.read_ladder(data)))


def main(given: list[str] | None = None) -> None:
    asked = arguments(given)
    rows = terminal.read_rows(content(CSV) if asked.data == DEFAULT_DATA else content_elsewhere(asked.data))
    if asked.project:
        rows = terminal.of_project(rows, asked.project)
    if asked.best:
        rows = terminal.best(rows)
    console = Console(highlight=False)
    console.print(terminal.table(terminal.in_order(rows, asked.sort), console.width))
    console.print(terminal.LEGEND, style="dim")


if __name__ == "__main__":
    run_stage("ladder", main)
