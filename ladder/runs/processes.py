"""Processes that work side by side for this one, and that end with it, however it ends.

Each worker has a pipe of its own, and one thread in the parent drives them all. concurrent.futures is not used: its
workers share queues and locks, so one that dies at a bad moment leaves the others waiting for ever
(https://github.com/python/cpython/issues/94777, in Debian 12's Python 3.11.2), and its semaphores make Python warn of
leaks when the parent is killed.
"""

import multiprocessing
import os
import pickle
import signal
import sys
import threading
import traceback
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from typing import Any

from ladder.exceptions import LadderError
from ladder.runs.sharing import TensorFile
from ladder.runs.starter import dvc_has_ended

CONTEXT = multiprocessing.get_context("spawn")  # a fork would copy the locks of this process's threads
LOOK_UP = 0.5  # seconds between two looks at whether DVC is still there


class WorkerLostError(LadderError):
    """A worker process ended before its work was done."""

    def __init__(self):
        super().__init__("a worker process was killed from outside (too little memory?); start again")


@contextmanager
def process_pool(workers: int) -> Iterator["ProcessPool"]:
    """Yield a ProcessPool of `workers` processes, and kill them at the end of the block, whatever they are at.

    What a worker has finished by then is in the store, or was returned.
    """
    pool = ProcessPool()
    try:
        pool.start(workers)
        yield pool
    finally:
        pool.close()


@dataclass
class _Worker:
    process: multiprocessing.Process
    pipe: Connection
    future: Future | None = None  # of what it is at work on


class ProcessPool:
    """Worker processes, each at one call at a time. They advance while `wait` or a result of `map` is waited for."""

    def __init__(self):
        self.tensors, self.workers, self.waiting = TensorFile(), [], deque()

    def start(self, workers: int) -> None:
        """Start `workers` processes. They import torch while this process goes on."""
        for _ in range(workers):
            here, there = CONTEXT.Pipe()
            process = CONTEXT.Process(target=_work, args=(there, self.tensors), daemon=True)
            with _interrupts_ignored():
                process.start()
            there.close()  # now the worker alone has it, so its death ends the pipe
            self.workers.append(_Worker(process, here))

    def submit(self, function: Callable, *arguments: Any) -> Future:
        """Have `function(*arguments)` called in a worker, after what was submitted before. Return its Future."""
        future = Future()
        self.waiting.append((future, self.tensors.dumps((function, arguments))))
        self._hand_out()
        return future

    def map(self, function: Callable, *iterables: Iterable) -> Iterator:
        """Submit a call for each item, as the built-in `map` calls; return an iterator over the results, in order."""
        return self._results([self.submit(function, *arguments) for arguments in zip(*iterables, strict=False)])

    def wait(self, pending: set[Future], timeout: float) -> tuple[set[Future], set[Future]]:
        """Wait until one of the Futures is done, or `timeout` seconds. Return those done, and the others.

        Raises WorkerLostError where a worker ended by itself, and LadderError where DVC did, which started this stage.
        """
        if dvc_has_ended():
            raise LadderError(
                "DVC has ended, so this stage ends too; what is finished is kept, so start again to continue"
            )
        by_pipe = {worker.pipe: worker for worker in self.workers}
        for pipe in wait(list(by_pipe), 0 if any(future.done() for future in pending) else timeout):
            self._receive(by_pipe[pipe])
        self._hand_out()
        done = {future for future in pending if future.done()}
        return done, pending - done

    def close(self) -> None:
        """Kill the workers."""
        for worker in self.workers:
            worker.process.kill()
        for worker in self.workers:
            worker.process.join()
            worker.pipe.close()
        self.tensors.close()

    def _results(self, futures):
        pending = set(futures)
        while pending:
            done, pending = self.wait(pending, LOOK_UP)
            for future in done:
                future.result()
        for future in futures:
            yield future.result()

    def _hand_out(self):
        """Give each idle worker what waits longest. A worker reads at once, so that no write here can block."""
        for worker in self.workers:
            if self.waiting and worker.future is None:
                worker.future, message = self.waiting.popleft()
                with suppress(OSError):  # it died; `wait` will tell
                    worker.pipe.send_bytes(message)

    def _receive(self, worker):
        try:
            succeeded, value = pickle.loads(worker.pipe.recv_bytes())
        except (EOFError, OSError):
            raise WorkerLostError from None
        (worker.future.set_result if succeeded else worker.future.set_exception)(value)
        worker.future = None


def import_torch() -> None:
    """Import torch without NVIDIA's package cuda.bindings: 11 MB in each worker, and no run calls what needs it."""
    sys.modules.setdefault("cuda.bindings", None)  # an import of it fails, as where it is not installed
    import torch  # noqa: F401


def _work(pipe, tensors):
    """Answer the calls that come through the pipe with (whether it succeeded, what it returned or raised)."""
    threading.Thread(target=_end_with_parent, daemon=True).start()
    import_torch()  # it takes seconds, in which the parent has other things to do, or ends
    while True:
        try:
            message = pipe.recv_bytes()
        except (EOFError, OSError):
            return
        try:
            function, arguments = tensors.loads(message)
            answer = pickle.dumps((True, function(*arguments)))
        except LadderError as error:
            answer = pickle.dumps((False, error))
        except Exception as error:
            answer = pickle.dumps((False, _with_its_traceback(error)))
        pipe.send_bytes(answer)


def _with_its_traceback(error):
    """Return an exception that shows in the parent where in the worker it came from."""
    error.add_note("".join(traceback.format_exception(error)))
    try:
        pickle.loads(pickle.dumps(error))
    except Exception:  # one of those whose constructor wants more than its message
        return RuntimeError("".join(error.__notes__))
    return error


def _end_with_parent():
    wait([multiprocessing.parent_process().sentinel])
    os._exit(1)


@contextmanager
def _interrupts_ignored():
    """Start processes that ignore Ctrl-C from their first moment on: a process inherits what is ignored."""
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
