"""Many runs side by side, one process a core, with progress read from the store."""

import multiprocessing
import os
import signal
import threading
from concurrent.futures import FIRST_EXCEPTION, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from multiprocessing.connection import wait as wait_for

from ladder.cards import work
from ladder.exceptions import LadderError
from ladder.runs import cluster, progress, store
from ladder.training.fingerprint import fingerprint


class RunsFailedError(LadderError):
    """Some of many runs failed by themselves; all others are in the store."""


def train_seeds(recipe, images, labels, seeds, executor, root=store.RUNS, on_epoch=lambda rows: None):
    """Return {seed: [Epoch, ...]} for `seeds` random seeds, trained side by side by `executor`.

    on_epoch is called with {seed: rows so far} whenever an epoch is finished; otherwise as `train_runs`.
    """
    runs = [(recipe, seed) for seed in seeds]
    history = {seed: [] for seed in seeds}

    def on_rows(run, rows):
        history[runs[run][1]] = rows
        on_epoch(history)

    train_runs(runs, images, labels, executor, progress.of_seeds(runs), root, on_rows)
    return {seed: store.finished(recipe, images, labels, seed, root) for seed in seeds}


def train_many(runs, images, labels, executor):
    """Train many runs by `train_runs`, the longest first, so that no core waits at the end.

    Those that fail stop no other; RunsFailedError is raised after all.
    """
    runs = sorted(runs, key=lambda run: -work(run[0]))
    train_runs(runs, images, labels, executor, progress.OfLadder(runs), to_the_end=True)


def train_runs(
    runs, images, labels, executor, shown, root=store.RUNS, on_rows=lambda run, rows: None, to_the_end=False
):
    """Train every (recipe, seed) of the list `runs`, in its order, so that the store under `root` holds them all.

    executor: a process pool, whose processes write to this disk, or a ladder.cluster.Cluster, which brings runs here.
    shown: one of ladder.progress. on_rows is called with (place in `runs`, its rows so far) whenever an epoch is
    finished. The result does not depend on the executor. Raises LadderError naming rung, seed and epoch where a run
    fails, with `to_the_end` RunsFailedError after all others, or where a process dies.
    """
    folders = [store.folder_of(recipe, images, labels, seed, root) for recipe, seed in runs]
    away = isinstance(executor, cluster.Cluster)
    futures = {}
    for run, (recipe, seed) in enumerate(runs):
        arguments = recipe, images.numpy(), labels.numpy(), seed
        future = executor.submit_run(*arguments, folders[run]) if away else executor.submit(_train, *arguments, root)
        futures[future] = run
    counts, open_runs, faults = [0] * len(runs), set(range(len(runs))), []
    with shown:
        pending = set(futures)
        while pending:
            finished, pending = wait(pending, timeout=0.5, return_when=FIRST_EXCEPTION)
            for run in sorted(open_runs):
                if store.count(folders[run]) > counts[run] and len(rows := store.rows(folders[run])) > counts[run]:
                    counts[run] = len(rows)
                    shown.show(run, rows)
                    on_rows(run, rows)
            open_runs -= {futures[future] for future in finished}
            shown.step(open_runs)
            errors = [error for future in finished if (error := future.exception())]
            broken = next((error for error in errors if not isinstance(error, LadderError)), None)
            if broken:
                raise _explained(broken, runs, counts)
            faults += errors
            if faults and not to_the_end:
                raise faults[0]
    if faults:
        more = f" (and {len(faults) - 1} more runs failed)" if len(faults) > 1 else ""
        raise RunsFailedError(f"{faults[0]}{more}")


def computed_here(recipes, executor):
    """Return {rung: fingerprint} as the processes of `executor` compute it.

    A cluster's workers check what was planned themselves; where nothing was, it is what this process computes.
    """
    recipes = list(recipes)
    if isinstance(executor, cluster.Cluster):
        return {recipe.rung: recipe.fingerprint or fingerprint(recipe) for recipe in recipes}
    found = executor.map(fingerprint, recipes)
    return {recipe.rung: bits for recipe, bits in zip(recipes, found, strict=True)}


@contextmanager
def training_pool(workers):
    """Yield what `train_runs` submits to: the cluster at DASK_SCHEDULER_ADDRESS, or else a pool of processes here."""
    address = os.environ.get("DASK_SCHEDULER_ADDRESS")
    with cluster.connected(address) if address else process_pool(workers) as executor:
        yield executor


@contextmanager
def process_pool(workers):
    """Yield an executor with `workers` fresh processes of one thread each, which die with this one.

    They start at once, and import torch while their parent is busy with something else. An exception ends them
    at once: their finished epochs are in the store.
    """
    context = multiprocessing.get_context("spawn")  # a fork would copy this process's threads' locks
    executor = ProcessPoolExecutor(workers, mp_context=context, initializer=_start_worker)
    for _ in range(workers):
        executor.submit(_import_torch)
    try:
        yield executor
    except BaseException as error:
        for process in multiprocessing.active_children():
            process.kill()
        if isinstance(error, BrokenProcessPool):
            raise LadderError("a worker process was killed from outside (too little memory?); start again") from None
        raise
    finally:
        executor.shutdown(cancel_futures=True)


def _import_torch():
    import ladder.run  # noqa: F401


def _train(recipe, images, labels, seed, root):
    import torch

    store.train(recipe, torch.from_numpy(images), torch.from_numpy(labels), seed, root)


def _start_worker():
    """Leave Ctrl-C to the parent process, and end when it ends, be it by SIGKILL."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent():
    wait_for([multiprocessing.parent_process().sentinel])
    os._exit(1)


def _explained(error, runs, counts):
    """Return what a run's future failed with; for a broken pool a LadderError that says what was at work."""
    if not isinstance(error, BrokenProcessPool):
        return error
    at = [
        f"rung {recipe.rung} seed {seed} in epoch {count + 1}"
        for (recipe, seed), count in zip(runs, counts, strict=True)
        if count < recipe.epochs
    ]
    return LadderError(
        "a training process was killed from outside (too little memory?); unfinished, among others: "
        f"{', '.join(at[:4])}; finished epochs are kept, so start again to continue"
    )
