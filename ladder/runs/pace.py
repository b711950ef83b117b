"""How far many runs are, and when they will be done."""

import time
from collections.abc import Mapping, Sequence, Set

from ladder.cards import Recipe, work


class Pace:
    """How far many runs are, and how long the rest will take at the pace since the start.

    rows: {run: number of its epochs}; stored: the same of what was there already, None before the first `look`.
    """

    def __init__(self, runs: Sequence[tuple[Recipe, int]]):
        self.runs, self.start, self.rows, self.stored = runs, time.monotonic(), {}, None
        self.work = {run: work(recipe) for run, (recipe, _) in enumerate(runs)}

    def look(self) -> None:
        """Take what is there at the first call for what was there already."""
        if self.stored is None:
            self.stored = dict(self.rows)

    def of(self, rows: Mapping[int, int]) -> float:
        """Return how much work {run: number of its epochs} is."""
        return sum(self.work[run] * count / self.runs[run][0].epochs for run, count in rows.items())

    def share(self) -> float:
        """Return the share of the work that is done, from 0 to 1."""
        return self.of(self.rows) / sum(self.work.values())

    def seconds_left(self, open_runs: Set[int]) -> float | None:
        """Return how long the open runs will take, or None where nothing is done yet, or nothing is left."""
        done = self.of(self.rows) - self.of(self.stored)
        left = sum(self.work[run] for run in open_runs) - self.of({run: self.rows.get(run, 0) for run in open_runs})
        return (time.monotonic() - self.start) * left / done if done and left else None
