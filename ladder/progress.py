"""What a terminal or a log shows while runs are trained."""

import sys
import time

from tqdm import tqdm

from ladder.shapes import work


def of_seeds(runs):
    """Return what shows a few runs: a bar each on a terminal, or a line an epoch in a log."""
    return _Bars(runs) if sys.stderr.isatty() else _Lines(runs)


class OfLadder:
    """One line for many runs: how many are done, which are running, and about when the rest will be.

    On a terminal it stays in place; in a log it comes when a run is finished, and every ten minutes.
    """

    EVERY = 600  # seconds

    def __init__(self, runs):
        self.start, self.said, self.ended = time.monotonic(), float("-inf"), 0
        self.work = {run: work(recipe) for run, (recipe, _) in enumerate(runs)}
        self.runs, self.rows, self.before = runs, {}, None
        self.bar = tqdm(total=1.0, bar_format="{percentage:3.0f} % |{bar:10}| {desc}") if sys.stderr.isatty() else None

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.bar:
            self.bar.close()

    def show(self, run, rows):
        self.rows[run] = len(rows)

    def step(self):
        """Say where things stand, if it is time to."""
        done = {run: self.rows.get(run, 0) / recipe.epochs for run, (recipe, _) in enumerate(self.runs)}
        share = sum(self.work[run] * part for run, part in done.items()) / sum(self.work.values())
        if self.before is None:
            self.before = share  # what the store had already
        ended = sum(part == 1 for part in done.values())
        text = f"{ended} of {len(done)} runs done{self._left(share)}{self._running(done)}"
        if self.bar:
            self.bar.set_description_str(text, refresh=False)
            self.bar.update(share - self.bar.n)
            self.bar.refresh()
        elif ended > self.ended or time.monotonic() - self.said > self.EVERY:
            self.said, self.ended = time.monotonic(), ended
            print(f"{time.strftime('%H:%M')} {text}", flush=True)

    def _running(self, done):
        """Return the runs with some epochs, but not all. A first epoch shows once it is finished."""
        parts = [
            f"{recipe.rung} seed {seed} {self.rows[run]}/{recipe.epochs}"
            for run, (recipe, seed) in enumerate(self.runs)
            if 0 < done[run] < 1
        ]
        return f"; running: {', '.join(parts)}" if parts else ""

    def _left(self, share):
        if not self.before < share < 1:
            return ""
        minutes = round((time.monotonic() - self.start) * (1 - share) / (share - self.before) / 60)
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

    def step(self):
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

    def step(self):
        pass
