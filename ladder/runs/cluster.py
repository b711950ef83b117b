"""Runs on a Dask cluster: the data travels to each worker once, finished epochs travel back into the store here.

In an environment with the locked packages, and in a folder with this code: `python -m dask scheduler`; then on every
machine, once a core, `python -m dask worker <address> --nthreads 1`; then set DASK_SCHEDULER_ADDRESS. Imports no torch:
a worker that unpickles `train_away` must be able to set up its machine first.
"""

import socket
import tempfile
import threading
from concurrent.futures import Future
from contextlib import contextmanager
from pathlib import Path

from ladder.exceptions import LadderError

WORKER = "python -m dask worker {} --nthreads 1"
LOST = ("KilledWorker", "CancelledError", "FutureCancelledError")


@contextmanager
def connected(address):
    """Yield the Cluster of the scheduler at `address`. Raises LadderError where it or its workers are not as needed."""
    try:
        from dask.distributed import Client
    except ImportError:
        raise LadderError("DASK_SCHEDULER_ADDRESS is set, but Dask is missing; pip install distributed") from None
    try:
        client = Client(address, timeout=20)
    except (OSError, ValueError) as error:
        raise LadderError(f"DASK_SCHEDULER_ADDRESS: no scheduler answers at {address} ({error})") from None
    with client:
        _check(client.scheduler_info(n_workers=-1)["workers"], address)
        cluster = Cluster(client)
        try:
            yield cluster
        finally:
            cluster.close()


class Cluster:
    """A Dask client that trains runs. A run whose worker is lost starts again on another one, up to three times."""

    def __init__(self, client):
        from dask.distributed import Queue

        self.executor, self.client, self.sent = client.get_executor(pure=False), client, None
        self.epochs, self.closed = Queue(client=client), threading.Event()
        threading.Thread(target=self._receive, daemon=True).start()

    def submit_run(self, recipe, images, labels, seed, folder):
        """Return a Future that is done once the run is in `folder`, its place in the store of this machine."""
        from ladder.runs import store

        if self.sent is None:
            self.sent = self.client.scatter([images, labels], broadcast=True, hash=False)
        brought = Future()

        def bring(away):
            try:
                store.carry_in(folder, away.result())
                brought.set_result(None)
            except BaseException as error:
                brought.set_exception(_explained(error, recipe, seed))

        files = store.carry_out(folder)
        away = self.executor.submit(train_away, recipe, *self.sent, seed, files, self.epochs, str(folder))
        away.add_done_callback(bring)
        return brought

    def close(self):
        """Receive no more epochs."""
        self.closed.set()

    def _receive(self):
        """Write epochs into the store as they come in: to show them, and to keep them if this process is stopped."""
        from ladder.runs import store

        while not self.closed.is_set():
            try:
                folder, name, content = self.epochs.get(timeout=1)
                store.carry_in(Path(folder), {name: content})
            except Exception:  # nothing came, or the scheduler is gone, which the runs' own futures tell
                self.closed.wait(0.1)


def train_away(recipe, images, labels, seed, files, epochs, place):
    """Return the files of a run's epochs, trained on this worker from those that were finished before.

    epochs: a Dask Queue that takes (place, name, content) of each file as soon as it is there.
    """
    import torch

    from ladder.runs import store
    from ladder.training.fingerprint import fingerprint

    if fingerprint(recipe) != recipe.fingerprint:
        raise LadderError(
            f"rung {recipe.rung}: the worker on {socket.gethostname()} computes other bits than those planned (another "
            "processor, library or code); give it this environment and code, or stop it, then start again"
        )
    images, labels = torch.tensor(images), torch.tensor(labels)
    with tempfile.TemporaryDirectory(prefix="digit-ladder-") as root:
        folder = store.folder_of(recipe, images, labels, seed, root)
        store.carry_in(folder, files)
        store.train(recipe, images, labels, seed, root, lambda path: epochs.put((place, path.name, path.read_bytes())))
        return store.carry_out(folder)


def _check(workers, address):
    if not workers:
        raise LadderError(f"the scheduler at {address} has no workers; start some by `{WORKER.format(address)}`")
    threaded = [worker["name"] for worker in workers.values() if worker["nthreads"] != 1]
    if threaded:
        raise LadderError(
            f"worker {threaded[0]} has several threads, and a run needs a process of its own; "
            f"start workers by `{WORKER.format(address)}`"
        )


def _explained(error, recipe, seed):
    """Return a LadderError, or the error itself where nobody foresaw it."""
    if isinstance(error, LadderError):
        return error
    if type(error).__name__ in LOST:
        return LadderError(
            f"rung {recipe.rung}, seed {seed}: lost on the cluster ({type(error).__name__}); "
            "what is finished is kept, so start again to continue"
        )
    if "deserializ" in str(error) or isinstance(error, ImportError):
        return LadderError(
            f"rung {recipe.rung}, seed {seed}: the cluster has not this code ({error}); start scheduler and workers in "
            f"a folder with it, by `python -m dask scheduler` and `{WORKER.format('<address>')}`"
        )
    return error
