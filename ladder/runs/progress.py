"""What a terminal or a log shows while runs are trained."""

import sys
import time
from collections.abc import Sequence, Set
from typing import Protocol, Self

from tqdm import tqdm

from ladder.cards import Recipe
from ladder.runs.curves import Curves
from ladder.runs.pace import Pace


class Progress(Protocol):
    """What `train_runs` tells of its runs. A run is meant by its place in the list of all."""

    def __enter__(self) -> Self: ...

    def __exit__(self, *_: object) -> None: ...

    def show(self, run: int, rows: list[dict]) -> None:
        """Take the rows of metrics of all epochs that a run has finished."""

    def step(self, open_runs: Set[int]) -> None:
        """Say where things stand, if it is time to. open_runs: those that have neither ended nor failed."""


def of_seeds(runs: Sequence[tuple[Recipe, int]]) -> Progress:
    """Return the Progress of a few runs: a curve each on a terminal, or a line an epoch in a log."""
    return Curves(runs) if sys.stderr.isatty() else _Lines(runs)


class OfLadder:
    """One line for many runs: how many are done, which are running, and about how long the rest will take.

    On a terminal the line stays in place. In a log it comes when a run is finished, and every ten minutes.
    """

    EVERY = 600  # seconds

    def __init__(self, runs: Sequence[tuple[Recipe, int]]):
        self.said, self.ended, self.runs, self.pace = float("-inf"), 0, runs, Pace(runs)
        self.bar = tqdm(total=1.0, bar_format="{percentage:3.0f} % |{bar:10}| {desc}") if sys.stderr.isatty() else None

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.bar:
            self.bar.close()

    def show(self, run: int, rows: list[dict]) -> None:
        """Take the rows of metrics of all epochs that a run has finished."""
        self.pace.rows[run] = len(rows)

    def step(self, open_runs: Set[int]) -> None:
        """Say where things stand, if it is time to. open_runs: those that have neither ended nor failed."""
        self.pace.look()
        ended = sum(self.pace.rows.get(run) == recipe.epochs for run, (recipe, _) in enumerate(self.runs))
        text = f"{ended} of {len(self.runs)} runs done{self._left(open_runs)}{self._running(open_runs)}"
        if self.bar:
            self.bar.set_description_str(text, refresh=False)
            self.bar.update(self.pace.share() - self.bar.n)
            self.bar.refresh()
        elif ended > self.ended or time.monotonic() - self.said > self.EVERY:
            self.said, self.ended = time.monotonic(), ended
            print(f"{time.strftime('%H:%M')} {text}", flush=True)

    def _running(self, open_runs):
        """Return text that names the runs in training. A run shows from its first epoch since the start on."""
        rows, stored = self.pace.rows, self.pace.stored
        parts = [
            f"{recipe.name} seed {seed} {rows[run]}/{recipe.epochs}"
            for run, (recipe, seed) in enumerate(self.runs)
            if run in open_runs and stored.get(run, 0) < rows.get(run, 0) < recipe.epochs
        ]
        return f"; running: {', '.join(parts)}" if parts else ""

    def _left(self, open_runs):
        seconds = self.pace.seconds_left(open_runs)
        if seconds is None:
            return ""
        minutes = round(seconds / 60)
        return f"; about {minutes // 60} h {minutes % 60:02d} min left"


class _Lines:
    """One plain line an epoch, for a log."""

    def __init__(self, runs):
        self.runs, self.shown, self.start = runs, [0] * len(runs), time.monotonic()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        pass

    def show(self, run, rows):
        recipe, seed = self.runs[run]
        for row in rows[self.shown[run] :]:
            print(
                f"{recipe.name} seed {seed} epoch {row['epoch']:2d}/{recipe.epochs}: "
                f"loss {row['train_loss']:.4f}, train {row['train_accuracy']:.2f} %, "
                f"{time.monotonic() - self.start:.0f} s",
                flush=True,
            )
        self.shown[run] = len(rows)

    def step(self, open_runs):
        pass
