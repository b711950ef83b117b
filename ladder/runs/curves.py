"""The curves of a few runs, drawn in a terminal while they are trained."""

import math
import sys
from collections.abc import Sequence, Set
from statistics import fmean
from typing import Self

from rich.console import Console, Group
from rich.live import Live
from rich.table import Table
from rich.text import Text

from ladder.cards import Recipe
from ladder.runs.pace import Pace

CELLS = 20  # characters of a curve; of a longer run, each stands for several epochs
BLOCKS = "▁▂▃▄▅▆▇█"  # from the smallest loss to the largest
PLAIN = "_.-=+*%#"  # where the terminal has no UTF-8
TO_COME = " "


def curve(losses: Sequence[float], epochs: int, span: tuple[float, float], levels: str = BLOCKS) -> str:
    """Return a run's losses so far as text: a character for each of its `epochs`, or for several where they are many.

    span: the smallest and the largest loss that `levels` stand for, on a logarithmic scale.
    """
    low, high = map(_log, span)
    cells, text = min(epochs, CELLS), ""
    for cell in range(cells):
        part = [_log(loss) for loss in losses[cell * epochs // cells : (cell + 1) * epochs // cells]]
        height = (fmean(part) - low) / (high - low) if part and high > low else 0
        text += levels[round(height * (len(levels) - 1))] if part else TO_COME
    return text


class Curves:
    """A line a run: the curve of its loss so far and its last numbers; below them the time left. See Progress."""

    def __init__(self, runs: Sequence[tuple[Recipe, int]]):
        console = Console(file=sys.stderr)
        self.levels = BLOCKS if console.encoding.startswith("utf") else PLAIN
        self.runs, self.pace, self.rows = runs, Pace(runs), [[] for _ in runs]
        # what the program prints goes where it went
        self.live = Live(console=console, auto_refresh=False, redirect_stdout=False, redirect_stderr=False)

    def __enter__(self) -> Self:
        self.live.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.live.stop()

    def show(self, run: int, rows: list[dict]) -> None:
        """Take the rows of metrics of all epochs that a run has finished."""
        self.rows[run], self.pace.rows[run] = rows, len(rows)

    def step(self, open_runs: Set[int]) -> None:
        """Draw where things stand. open_runs: those that have neither ended nor failed."""
        self.pace.look()
        self.live.update(Group(self._lines(), self._left(open_runs)), refresh=True)

    def _lines(self):
        losses = [[row["train_loss"] for row in rows] for rows in self.rows]
        known = [loss for of_run in losses for loss in of_run] or [1.0]
        lines = Table.grid(padding=(0, 2, 0, 0))
        for _ in range(4):
            lines.add_column(no_wrap=True)
        for (recipe, seed), rows, of_run in zip(self.runs, self.rows, losses, strict=True):
            drawn = curve(of_run, recipe.epochs, (min(known), max(known)), self.levels)
            last = f"loss {of_run[-1]:.4f}, train {rows[-1]['train_accuracy']:.2f} %" if rows else ""
            lines.add_row(f"{recipe.name} seed {seed}", Text(drawn, "cyan"), f"{len(rows)}/{recipe.epochs}", last)
        return lines

    def _left(self, open_runs):
        seconds = self.pace.seconds_left(open_runs)
        left = "" if seconds is None else f", about {round(seconds) // 60} min {round(seconds) % 60:02d} s left"
        return Text(f"{100 * self.pace.share():.0f} % done{left}", "dim")


def _log(loss):
    return math.log(max(loss, 1e-12))
