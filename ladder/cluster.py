"""Runs on a Dask cluster: the data travels to each worker once, finished epochs travel back into the store here.

Start `dask scheduler` and, on every machine, in an environment with this code, `dask worker <address> --nthreads 1`
(a process a core: `--nworkers -1`), then set DASK_SCHEDULER_ADDRESS. Imports no torch: a worker that unpickles
`train_away` must be able to set up its machine first.
"""

import socket
import tempfile
from concurrent.futures import Future
from contextlib import contextmanager

from ladder import machine
from ladder.errors import LadderError


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
        yield Cluster(client)


class Cluster:
    """A Dask client as an executor of runs. A run whose worker is lost goes to another one, up to three times."""

    def __init__(self, client):
        self.executor, self.client, self.sent = client.get_executor(pure=False), client, None

    def submit_run(self, recipe, images, labels, seed, root):
        """Return a Future that is done once the run is in the store under `root` on this machine."""
        from ladder import store

        if self.sent is None:
            self.sent = self.client.scatter([images, labels], broadcast=True, hash=False)
        import torch

        folder = store.folder_of(recipe, torch.from_numpy(images), torch.from_numpy(labels), seed, root)
        brought = Future()

        def bring(away):
            try:
                store.carry_in(folder, away.result())
                brought.set_result(None)
            except BaseException as error:
                brought.set_exception(_explained(error, recipe, seed))

        away = self.executor.submit(train_away, recipe, *self.sent, seed, store.carry_out(folder))
        away.add_done_callback(bring)
        return brought


def train_away(recipe, images, labels, seed, files):
    """Return the files of a run's epochs, trained on this worker from those that were finished before."""
    machine.configure(recipe.portable)
    import torch

    from ladder import store
    from ladder.fingerprint import fingerprint

    if fingerprint(recipe) != recipe.fingerprint:
        raise LadderError(
            f"rung {recipe.rung}: the worker on {socket.gethostname()} computes other bits than those planned (another "
            "processor, library or code); give it this environment and code, or leave it out"
        )
    images, labels = torch.tensor(images), torch.tensor(labels)
    with tempfile.TemporaryDirectory(prefix="digit-ladder-") as root:
        folder = store.folder_of(recipe, images, labels, seed, root)
        store.carry_in(folder, files)
        store.train(recipe, images, labels, seed, root)
        return store.carry_out(folder)


def _check(workers, address):
    if not workers:
        raise LadderError(
            f"the scheduler at {address} has no workers; start some by `dask worker {address} --nthreads 1`"
        )
    threaded = [worker["name"] for worker in workers.values() if worker["nthreads"] != 1]
    if threaded:
        raise LadderError(
            f"worker {threaded[0]} has several threads, and a run needs a process of its own; "
            "start workers by `dask worker <address> --nthreads 1`"
        )


def _explained(error, recipe, seed):
    """Return a LadderError, or the error itself where nobody foresaw it."""
    if isinstance(error, LadderError):
        return error
    if type(error).__name__ in ("KilledWorker", "CancelledError", "FutureCancelledError"):
        return LadderError(
            f"rung {recipe.rung}, seed {seed}: lost on the cluster ({type(error).__name__}); "
            "what is finished is kept, so start again to continue"
        )
    return error
