"""What a terminal or a log shows while runs are trained."""

import sys
import time
from collections.abc import Sequence, Set
from typing import Protocol, Self

from tqdm import tqdm

from ladder.cards import Recipe, work


class Progress(Protocol):
    """What `train_runs` tells of its runs. A run is meant by its place in the list of all."""

    def __enter__(self) -> Self: ...

    def __exit__(self, *_: object) -> None: ...

    def show(self, run: int, rows: list[dict]) -> None:
        """Take the rows of metrics of all epochs that a run has finished."""

    def step(self, open_runs: Set[int]) -> None:
        """Say where things stand, if it is time to. open_runs: those that have neither ended nor failed."""


def of_seeds(runs: Sequence[tuple[Recipe, int]]) -> Progress:
    """Return the Progress of a few runs: a bar each on a terminal, or a line an epoch in a log."""
    return _Bars(runs) if sys.stderr.isatty() else _Lines(runs)


class OfLadder:
    """One line for many runs: how many are done, which are running, and about how long the rest will take.

    On a terminal the line stays in place. In a log it comes when a run is finished, and every ten minutes.
    """

    EVERY = 600  # seconds

    def __init__(self, runs: Sequence[tuple[Recipe, int]]):
        self.start, self.said, self.ended = time.monotonic(), float("-inf"), 0
        self.work = {run: work(recipe) for run, (recipe, _) in enumerate(runs)}
        self.runs, self.rows, self.stored = runs, {}, None
        self.bar = tqdm(total=1.0, bar_format="{percentage:3.0f} % |{bar:10}| {desc}") if sys.stderr.isatty() else None

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.bar:
            self.bar.close()

    def show(self, run: int, rows: list[dict]) -> None:
        """Take the rows of metrics of all epochs that a run has finished."""
        self.rows[run] = len(rows)

    def step(self, open_runs: Set[int]) -> None:
        """Say where things stand, if it is time to. open_runs: those that have neither ended nor failed."""
        if self.stored is None:
            self.stored = dict(self.rows)  # what was there already
        ended = sum(self.rows.get(run) == recipe.epochs for run, (recipe, _) in enumerate(self.runs))
        share = self._work(self.rows) / sum(self.work.values())
        text = f"{ended} of {len(self.runs)} runs done{self._left(open_runs)}{self._running(open_runs)}"
        if self.bar:
            self.bar.set_description_str(text, refresh=False)
            self.bar.update(share - self.bar.n)
            self.bar.refresh()
        elif ended > self.ended or time.monotonic() - self.said > self.EVERY:
            self.said, self.ended = time.monotonic(), ended
            print(f"{time.strftime('%H:%M')} {text}", flush=True)

    def _work(self, rows):
        """Return how much work {run: number of its epochs} is."""
        return sum(self.work[run] * count / self.runs[run][0].epochs for run, count in rows.items())

    def _running(self, open_runs):
        """Return text that names the runs in training. A run shows from its first epoch since the start on."""
        parts = [
            f"{recipe.rung} seed {seed} {self.rows[run]}/{recipe.epochs}"
            for run, (recipe, seed) in enumerate(self.runs)
            if run in open_runs and self.stored.get(run, 0) < self.rows.get(run, 0) < recipe.epochs
        ]
        return f"; running: {', '.join(parts)}" if parts else ""

    def _left(self, open_runs):
        done = self._work(self.rows) - self._work(self.stored)
        left = sum(self.work[run] for run in open_runs) - self._work({run: self.rows.get(run, 0) for run in open_runs})
        if not done or not left:
            return ""
        minutes = round((time.monotonic() - self.start) * left / done / 60)
        return f"; about {minutes // 60} h {minutes % 60:02d} min left"


class _Bars:
    """A progress bar a run, for a terminal."""

    def __init__(self, runs):
        self.bars = [
            tqdm(total=recipe.epochs, desc=f"{recipe.rung} seed {seed}", unit="epoch", position=place)
            for place, (recipe, seed) in enumerate(runs)
        ]

    def __enter__(self):
        return self

    def __exit__(self, *_):
        for bar in self.bars:
            bar.close()

    def show(self, run, rows):
        bar = self.bars[run]
        bar.update(len(rows) - bar.n)
        bar.set_postfix_str(f"loss {rows[-1]['train_loss']:.4f}, train {rows[-1]['train_accuracy']:.2f} %")

    def step(self, open_runs):
        pass


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
                f"{recipe.rung} seed {seed} epoch {row['epoch']:2d}/{recipe.epochs}: "
                f"loss {row['train_loss']:.4f}, train {row['train_accuracy']:.2f} %, "
                f"{time.monotonic() - self.start:.0f} s",
                flush=True,
            )
        self.shown[run] = len(rows)

    def step(self, open_runs):
        pass
