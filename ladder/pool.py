"""Many runs side by side, one process a core, with progress read from the store."""

import multiprocessing
import os
import signal
import sys
import threading
import time
from concurrent.futures import FIRST_EXCEPTION, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from multiprocessing.connection import wait as wait_for

from tqdm import tqdm

from ladder import store
from ladder.errors import LadderError


def train_seeds(recipe, images, labels, seeds, executor, root=store.RUNS, on_epoch=lambda rows: None):
    """Return {seed: [Epoch, ...]} for `seeds` random seeds, trained side by side by `executor`.

    on_epoch is called with {seed: rows so far} whenever an epoch is finished. The result does not depend on
    the executor. Raises LadderError naming rung, seed and epoch where a run fails or its process dies.
    """
    folders = {seed: root / store.digest(recipe, images, labels, seed) for seed in seeds}
    futures = {executor.submit(_train, recipe, images.numpy(), labels.numpy(), seed, root): seed for seed in seeds}
    progress = _Bars(recipe, seeds) if sys.stderr.isatty() else _Lines(recipe, seeds)
    with progress:
        pending, before = set(futures), None
        while pending:
            finished, pending = wait(pending, timeout=0.5, return_when=FIRST_EXCEPTION)
            rows = {seed: store.rows(folder) for seed, folder in folders.items()}
            if (counts := {seed: len(of_seed) for seed, of_seed in rows.items()}) != before:
                before = counts
                progress.show(rows)
                on_epoch(rows)
            _raise_first(finished, futures, recipe, rows)
    runs = {seed: store.load(folder, recipe.epochs) for seed, folder in folders.items()}
    for seed, epochs in runs.items():
        if len(epochs) != recipe.epochs:
            raise LadderError(f"rung {recipe.rung}, seed {seed}: {folders[seed]} lost epochs meanwhile; start again")
    return runs


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


def _raise_first(finished, futures, recipe, rows):
    """Raise what the first failed future holds, as a LadderError that names rung, seed and epoch."""
    for future in finished:
        error = future.exception()
        if isinstance(error, BrokenProcessPool):
            at = [f"seed {s} in epoch {len(of) + 1}" for s, of in rows.items() if len(of) < recipe.epochs]
            raise LadderError(
                f"rung {recipe.rung}: a training process was killed from outside (too little memory?); "
                f"unfinished: {', '.join(at)}; finished epochs are kept, so start again to continue"
            )
        if error is not None:
            raise error


class _Bars:
    """A progress bar a seed, for a terminal."""

    def __init__(self, recipe, seeds):
        self.bars = {
            seed: tqdm(total=recipe.epochs, desc=f"{recipe.rung} seed {seed}", unit="epoch", position=place)
            for place, seed in enumerate(seeds)
        }

    def __enter__(self):
        return self

    def __exit__(self, *_):
        for bar in self.bars.values():
            bar.close()

    def show(self, rows):
        for seed, of_seed in rows.items():
            bar = self.bars[seed]
            bar.update(len(of_seed) - bar.n)
            if of_seed:
                bar.set_postfix_str(
                    f"loss {of_seed[-1]['train_loss']:.4f}, train {of_seed[-1]['train_accuracy']:.2f} %"
                )


class _Lines:
    """One plain line an epoch, for a log."""

    def __init__(self, recipe, seeds):
        self.recipe, self.shown, self.start = recipe, dict.fromkeys(seeds, 0), time.monotonic()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        pass

    def show(self, rows):
        for seed, of_seed in rows.items():
            for row in of_seed[self.shown[seed] :]:
                print(
                    f"{self.recipe.rung} seed {seed} epoch {row['epoch']:2d}/{self.recipe.epochs}: "
                    f"loss {row['train_loss']:.4f}, train {row['train_accuracy']:.2f} %, "
                    f"{time.monotonic() - self.start:.0f} s",
                    flush=True,
                )
            self.shown[seed] = len(of_seed)
