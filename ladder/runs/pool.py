"""Many runs trained side by side, by processes here or on a cluster, with their progress read from the store."""

import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from ladder.cards import Recipe, work
from ladder.data.splits import Split
from ladder.exceptions import LadderError
from ladder.runs import cluster, needs, progress, store
from ladder.runs.cluster import Cluster
from ladder.runs.processes import ProcessPool, WorkerLostError, process_pool
from ladder.runs.progress import Progress
from ladder.training.fingerprint import fingerprint
from ladder.training.run import Epoch

MOST_RUNS = 1000  # of one job: naming one run in the store takes 0.03 s, so a job of these starts within a minute
LOOK = 0.5  # seconds between two looks into the store


class RunsFailedError(LadderError):
    """Some of many runs failed by themselves; all others are in the store."""


@dataclass(frozen=True)
class Job:
    """Runs to train on the same images, and the store that keeps them.

    runs: (Recipe, seed), in the order in which they start.
    Raises LadderError where there are more than MOST_RUNS.
    """

    runs: Sequence[tuple[Recipe, int]]
    data: Split
    root: Path = store.RUNS

    def __post_init__(self):
        if len(self.runs) > MOST_RUNS:
            raise LadderError(f"{len(self.runs):,} runs are too many for one start; train at most {MOST_RUNS:,}")

    def folders(self) -> list[Path]:
        """Return the folder of each run in the store."""
        return [store.folder_of(recipe, self.data, seed, self.root) for recipe, seed in self.runs]


@contextmanager
def training_pool(workers: int) -> Iterator[ProcessPool | Cluster]:
    """Yield what `train_runs` submits to: the cluster at DASK_SCHEDULER_ADDRESS, or else a pool of processes here."""
    address = os.environ.get("DASK_SCHEDULER_ADDRESS")
    with cluster.connected(address) if address else process_pool(workers) as executor:
        yield executor


def computed_here(recipes: Iterable[Recipe], executor: ProcessPool | Cluster) -> dict[str, str]:
    """Return {rung: fingerprint} as the processes of `executor` compute it.

    A cluster's workers compare with the plan themselves. Where there is no plan, this process computes it.
    """
    recipes = list(recipes)
    if isinstance(executor, Cluster):
        return {recipe.name: recipe.fingerprint or fingerprint(recipe) for recipe in recipes}
    found = executor.map(fingerprint, recipes)
    return {recipe.name: bits for recipe, bits in zip(recipes, found, strict=True)}


def train_seeds(
    recipe: Recipe,
    data: Split,
    seeds: Sequence[int],
    executor: ProcessPool | Cluster,
    root: Path = store.RUNS,
    on_epoch: Callable[[dict[int, list[dict]]], None] = lambda rows: None,
) -> dict[int, list[Epoch]]:
    """Return {seed: [Epoch, ...]} of a recipe trained from each seed, side by side.

    on_epoch is called with {seed: rows so far} whenever an epoch is finished. Raises as `train_runs` does.
    """
    job = Job([(recipe, seed) for seed in seeds], data, root)
    history = {seed: [] for seed in seeds}

    def on_rows(run, rows):
        history[seeds[run]] = rows
        on_epoch(history)

    train_runs(job, executor, progress.of_seeds(job.runs), on_rows)
    return {seed: store.finished(recipe, data, seed, root) for seed in seeds}


def train_many(runs: Iterable[tuple[Recipe, int]], data: Split, executor: ProcessPool | Cluster) -> None:
    """Train many runs by `train_runs`, the longest first, so that no core waits at the end.

    A run that fails does not stop the others; RunsFailedError is raised after all of them.
    """
    job = Job(sorted(runs, key=lambda run: -work(run[0])), data)
    train_runs(job, executor, progress.OfLadder(job.runs), to_the_end=True)


def train_runs(
    job: Job,
    executor: ProcessPool | Cluster,
    shown: Progress,
    on_rows: Callable[[int, list[dict]], None] = lambda run, rows: None,
    to_the_end: bool = False,
) -> None:
    """Train the runs of a Job, so that its store holds them all. The result does not depend on the executor.

    on_rows is called with (place in the job, rows so far) whenever an epoch is finished. Raises LadderError that names
    rung, seed and epoch where a run fails or a process dies. With `to_the_end`, a run that fails stops no other, and
    RunsFailedError is raised after all of them.
    """
    watch = _Watch(job, shown, on_rows)
    finished = [(recipe, store.count(folder)) for (recipe, _), folder in zip(job.runs, watch.folders, strict=True)]
    futures = _submit(job, watch.folders, executor)
    faults, pending = [], set(futures)
    if not isinstance(executor, Cluster):
        for line in needs.told(finished, job.data, len(executor.workers)):
            print(line, flush=True)
    with shown:
        while pending:
            try:
                done, pending = executor.wait(pending, LOOK)
            except WorkerLostError:
                raise watch.lost() from None
            watch.look({futures[future] for future in done})
            faults += _faults(sorted(done, key=futures.get))
            if faults and not to_the_end:
                raise faults[0]
    if faults:
        raise _all_of(faults)


class _Watch:
    """Looks into the store for what runs have finished, and shows it."""

    def __init__(self, job, shown, on_rows):
        self.job, self.shown, self.on_rows = job, shown, on_rows
        self.folders = job.folders()
        self.counts, self.open = [0] * len(job.runs), set(range(len(job.runs)))

    def look(self, ended=frozenset()):
        """Show the epochs finished since the last look. ended: the runs that have ended or failed since."""
        for run in sorted(self.open):
            # counting files is cheap, reading them is not
            if store.count(self.folders[run]) > self.counts[run]:
                self._show(run, store.rows(self.folders[run]))
        self.open -= ended
        self.shown.step(self.open)

    def lost(self):
        """Return a LadderError that says which runs were unfinished when a process died."""
        self.look()
        at = [
            f"rung {recipe.name} seed {seed} in epoch {count + 1}"
            for (recipe, seed), count in zip(self.job.runs, self.counts, strict=True)
            if count < recipe.epochs
        ]
        return LadderError(
            "a training process was killed from outside (too little memory?); unfinished, among others: "
            f"{', '.join(at[:4])}; finished epochs are kept, so start again to continue"
        )

    def _show(self, run, rows):
        if len(rows) > self.counts[run]:
            self.counts[run] = len(rows)
            self.shown.show(run, rows)
            self.on_rows(run, rows)


def _submit(job, folders, executor):
    """Return {Future: place of its run in the job}."""
    away = isinstance(executor, Cluster)
    futures = {}
    for run, (recipe, seed) in enumerate(job.runs):
        arguments = recipe, job.data, seed
        future = (
            executor.submit_run(*arguments, folders[run]) if away else executor.submit(_train, *arguments, job.root)
        )
        futures[future] = run
    return futures


def _train(recipe, data, seed, root):
    """Train a run in a worker. Its epochs are in the store, so they need not travel back."""
    store.train(recipe, data, seed, root)


def _faults(done):
    """Return the LadderErrors of runs that failed. Raises what nobody foresaw."""
    errors = [error for future in done if (error := future.exception())]
    for error in errors:
        if not isinstance(error, LadderError):
            raise error
    return errors


def _all_of(faults):
    more = f" (and {len(faults) - 1} more runs failed)" if len(faults) > 1 else ""
    return RunsFailedError(f"{faults[0]}{more}")
