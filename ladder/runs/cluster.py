"""Runs on a Dask cluster: the data travels to each worker once, finished epochs travel back into the store here.

In an environment with the locked packages, and in a folder with this code: `python -m dask scheduler`; then on every
machine, once a core, `python -m dask worker <address> --nthreads 1`; then set DASK_SCHEDULER_ADDRESS. This module does
not import torch: a worker that unpickles `train_away` must set up its machine first.

Every epoch comes back twice. The queue brings it as soon as it is finished, so that it is shown, and kept if this
process is stopped; but a queue may lose its last items with the scheduler or when the receiver is slow. The run's
result brings all its epochs, so that a run is complete once its future is done.
"""

import asyncio
import concurrent.futures
import logging
import socket
import tempfile
import threading
from collections.abc import Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ladder.exceptions import LadderError

if TYPE_CHECKING:
    from ladder.cards import Recipe
    from ladder.data.splits import Split

WORKER = "python -m dask worker {} --nthreads 1"
LOST = ("KilledWorker", "CancelledError", "FutureCancelledError")
ANSWER = 15  # seconds within which a scheduler must answer


@contextmanager
def connected(address: str) -> Iterator["Cluster"]:
    """Yield the Cluster of the scheduler at `address`. Raises LadderError where it or its workers are not as needed."""
    try:
        from dask.distributed import Client
    except ImportError:
        raise LadderError("DASK_SCHEDULER_ADDRESS is set, but Dask is missing; pip install distributed") from None
    _check_scheduler(address)
    try:
        client = Client(address, timeout=ANSWER)
    except (OSError, ValueError) as error:
        raise LadderError(f"DASK_SCHEDULER_ADDRESS: no scheduler answers at {address} ({error})") from None
    with client:
        _check_workers(client.scheduler_info(n_workers=-1)["workers"], address)
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

    def submit_run(self, recipe: "Recipe", data: "Split", seed: int, folder: Path) -> Future:
        """Return a Future that is done once the run is in `folder`, its place in the store of this machine."""
        from ladder.runs import store

        if self.sent is None:
            arrays = [None if part is None else part.numpy() for part in data]
            self.sent = self.client.scatter(arrays, broadcast=True, hash=False)
        brought = Future()

        def bring(away):
            try:
                store.unpack(folder, away.result())
                brought.set_result(None)
            except BaseException as error:
                brought.set_exception(_explained(error, recipe, seed))

        files = store.pack(folder)
        away = self.executor.submit(train_away, recipe, self.sent, seed, files, self.epochs, str(folder))
        away.add_done_callback(bring)
        return brought

    def wait(self, pending: set[Future], timeout: float) -> tuple[set[Future], set[Future]]:
        """Wait until one of the Futures is done, or `timeout` seconds. Return those done, and the others."""
        return concurrent.futures.wait(pending, timeout, concurrent.futures.FIRST_COMPLETED)

    def close(self) -> None:
        """Receive no more epochs."""
        self.closed.set()

    def _receive(self):
        """Write epochs into the store as they come in."""
        from ladder.runs import store

        while not self.closed.is_set():
            try:
                folder, name, content = self.epochs.get(timeout=1)
                store.unpack(Path(folder), {name: content})
            except Exception:  # nothing came, or the scheduler is gone, which the runs' own futures tell
                self.closed.wait(0.1)


def train_away(
    recipe: "Recipe", arrays: list, seed: int, files: dict[str, bytes], epochs: Any, place: str
) -> dict[str, bytes]:
    """Return the files of a run's epochs, trained on this worker from those in `files`, which were finished before.

    arrays: the fields of a Split, as NumPy arrays. epochs: a Dask Queue that takes (place, name, content) of each file
    as soon as it is there.
    """
    import torch

    from ladder.data.splits import Split
    from ladder.runs import store
    from ladder.training.fingerprint import fingerprint

    if fingerprint(recipe) != recipe.fingerprint:
        raise LadderError(
            f"rung {recipe.name}: the worker on {socket.gethostname()} computes other bits than those planned (another "
            "processor, library or code); give it this environment and code, or stop it, then start again"
        )
    data = Split(*(part if part is None else torch.tensor(part) for part in arrays))
    with tempfile.TemporaryDirectory(prefix="digit-ladder-") as root:
        folder = store.folder_of(recipe, data, seed, root)
        store.unpack(folder, files)
        store.train(recipe, data, seed, root, lambda path: epochs.put((place, path.name, path.read_bytes())))
        return store.pack(folder)


def _check_scheduler(address):
    """Raise LadderError unless a scheduler answers in time. Client itself waits minutes for a server that is none."""
    logger = logging.getLogger("distributed")
    level = logger.level
    logger.setLevel(logging.CRITICAL)  # it would print a traceback for an answer that it cannot read
    try:
        kind = asyncio.run(asyncio.wait_for(_kind(address), ANSWER))
    except TimeoutError:
        raise LadderError(
            f"DASK_SCHEDULER_ADDRESS: no scheduler answers at {address} within {ANSWER} seconds"
        ) from None
    except Exception as error:  # whatever another kind of server makes of it
        said = " ".join(str(error).split())[:200] or type(error).__name__
        raise LadderError(f"DASK_SCHEDULER_ADDRESS: no scheduler answers at {address} ({said})") from None
    finally:
        logger.setLevel(level)
    if kind != "Scheduler":
        raise LadderError(f"DASK_SCHEDULER_ADDRESS: at {address} is a {kind}; give the address of its scheduler")


async def _kind(address):
    """Return what a Dask server says it is."""
    from distributed import Security
    from distributed.core import rpc

    async with rpc(address, connection_args=Security().get_connection_args("client")) as server:
        return (await server.identity())["type"]


def _check_workers(workers, address):
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
            f"rung {recipe.name}, seed {seed}: lost on the cluster ({type(error).__name__}); "
            "what is finished is kept, so start again to continue"
        )
    if "deserializ" in str(error) or isinstance(error, ImportError):
        return LadderError(
            f"rung {recipe.name}, seed {seed}: the cluster has not this code ({error}); start scheduler and workers in "
            f"a folder with it, by `python -m dask scheduler` and `{WORKER.format('<address>')}`"
        )
    return error
