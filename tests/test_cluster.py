"""Runs on a Dask cluster: the same bytes though a worker is lost, and one clear line for what is no cluster."""

import asyncio
import contextlib
import json
import os
import shutil
import socket
import subprocess
import sys
import threading
import time
from concurrent.futures import CancelledError
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest
from dask.distributed import Client
from projects import REPOSITORY, assert_one_clear_line, epoch_files, run_module, small, stored

from ladder.exceptions import LadderError
from ladder.runs import cluster, store


def wait_until(condition, process, seconds=120):
    deadline = time.monotonic() + seconds
    while not (found := condition()):
        assert process.poll() is None, process.stderr.read()
        assert time.monotonic() < deadline
        time.sleep(0.05)
    return found


@pytest.fixture
def two_workers(tmp_path):
    """Return (address, worker processes) of a scheduler and two workers, each a process of its own."""
    started = []

    def start(kind, *arguments):
        command = [sys.executable, "-m", "dask", kind, *arguments, "--no-dashboard"]
        with (tmp_path / f"{kind}.log").open("a") as log:
            started.append(subprocess.Popen(command, cwd=REPOSITORY, stdout=log, stderr=log))
        return started[-1]

    try:
        file = tmp_path / "scheduler.json"
        scheduler = start("scheduler", "--scheduler-file", str(file), "--port", "0", "--host", "127.0.0.1")
        wait_until(file.exists, scheduler)
        address = json.loads(file.read_text())["address"]
        folder = ["--local-directory", str(tmp_path)]
        workers = [start("worker", address, "--nthreads", "1", "--no-nanny", *folder) for _ in range(2)]
        with Client(address) as client:
            client.wait_for_workers(2, timeout=60)
        yield address, workers
    finally:
        for process in started:
            process.kill()
            process.wait()


@pytest.mark.slow
def test_a_cluster_that_loses_a_worker_gives_the_same_bytes(ladder, trained, two_workers, tmp_path):
    folder = shutil.copytree(ladder, tmp_path / "away")
    address, workers = two_workers
    command = [sys.executable, "-m", "commands.train_ladder", "longer", "quick"]
    environment = os.environ | {"PYTHONPATH": str(REPOSITORY), "DASK_SCHEDULER_ADDRESS": address}
    process = subprocess.Popen(command, cwd=folder, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    with Client(address) as client:
        wait_until(lambda: sum(bool(tasks) for tasks in client.processing().values()) == 2, process)  # both are busy
        wait_until(lambda: epoch_files(folder), process)  # an epoch has come back, so it is in the middle
        assert len(epoch_files(folder)) < 10
        assert [len(held) for held in client.has_what().values()] == [4, 4]  # the fields of a Split, sent once
        workers[0].kill()
        output, errors = process.communicate(timeout=120)
        assert len(client.scheduler_info()["workers"]) == 1
    assert process.returncode == 0, errors.decode()
    assert "3 of 3 runs done" in output.decode()
    assert stored(folder / ".runs") == stored(trained[0] / ".runs")


class Web(BaseHTTPRequestHandler):
    """Answers each request with an error, as its base class does."""

    def log_message(self, *_):
        pass


@contextlib.contextmanager
def server(kind):
    """Yield the address of a server that is no scheduler: `silent`, `web` (HTTP) or `noisy` (random bytes)."""
    if kind == "web":
        web = HTTPServer(("127.0.0.1", 0), Web)
        threading.Thread(target=web.serve_forever, daemon=True).start()
        yield f"tcp://127.0.0.1:{web.server_port}"
        web.shutdown()
        web.server_close()
        return
    with socket.create_server(("127.0.0.1", 0)) as listening:
        kept = []

        def answer():
            with contextlib.suppress(OSError):
                while kind == "noisy":
                    kept.append(listening.accept()[0])
                    kept[-1].sendall(bytes(range(256)) * 10)

        threading.Thread(target=answer, daemon=True).start()
        yield f"tcp://127.0.0.1:{listening.getsockname()[1]}"


@pytest.mark.parametrize("kind", ["silent", "web", "noisy"])
def test_a_server_that_is_no_scheduler_is_one_clear_line_in_time(monkeypatch, capfd, kind):
    monkeypatch.setattr(cluster, "ANSWER", 1)
    start = time.monotonic()
    with server(kind) as address, pytest.raises(LadderError) as raised, cluster.connected(address):
        pass
    assert time.monotonic() - start < 4
    assert str(raised.value).startswith(f"DASK_SCHEDULER_ADDRESS: no scheduler answers at {address}")
    assert "\n" not in str(raised.value)
    assert capfd.readouterr().err == ""  # Dask itself would print tracebacks


@pytest.mark.parametrize("address", ["tcp://127.0.0.1:9", "tls://127.0.0.1:9", "foo://x", "nonsense", "tcp://[::"])
def test_an_address_of_nothing_is_one_clear_line(monkeypatch, address):
    monkeypatch.setattr(cluster, "ANSWER", 1)
    with pytest.raises(LadderError, match="DASK_SCHEDULER_ADDRESS: no scheduler answers at"):
        cluster.connected(address).__enter__()


@pytest.mark.slow
def test_a_command_told_of_no_cluster_ends_with_one_clear_line(ladder, tmp_path):
    folder = shutil.copytree(ladder, tmp_path / "nowhere")
    done = run_module("commands.train_ladder", folder, "quick", DASK_SCHEDULER_ADDRESS="tls://127.0.0.1:9")
    assert_one_clear_line(done, "DASK_SCHEDULER_ADDRESS: no scheduler answers at tls://127.0.0.1:9 (TLS expects")


def test_a_dask_worker_is_not_taken_for_a_scheduler(monkeypatch):
    async def kind(address):
        await asyncio.sleep(0)
        return "Worker"

    monkeypatch.setattr(cluster, "_kind", kind)
    with pytest.raises(LadderError, match="at tcp://there is a Worker; give the address of its scheduler"):
        cluster.connected("tcp://there").__enter__()


def worker(threads):
    return {"name": f"with {threads}", "nthreads": threads}


def test_each_worker_must_have_one_thread():
    cluster._check_workers({"a": worker(1), "b": worker(1)}, "tcp://there")
    with pytest.raises(LadderError, match=r"worker with 2 has several threads, .* start workers by `.* --nthreads 1`"):
        cluster._check_workers({"a": worker(1), "b": worker(2)}, "tcp://there")
    with pytest.raises(LadderError, match=r"the scheduler at tcp://there has no workers; start some by `.*tcp://there"):
        cluster._check_workers({}, "tcp://there")


def test_a_worker_that_computes_other_bits_trains_nothing(digits):
    arrays = [None if part is None else part.numpy() for part in digits.pick(slice(300))]
    with pytest.raises(LadderError, match=r"rung small: the worker on .* computes other bits than those planned"):
        cluster.train_away(small(fingerprint="f"), arrays, 0, {}, epochs=None, place="nowhere")


FAULTS = {
    CancelledError(): "rung small, seed 3: lost on the cluster (CancelledError); what is finished is kept",
    ModuleNotFoundError("No module named 'ladder'"): "the cluster has not this code (No module named 'ladder')",
    RuntimeError("Error during deserialization"): "the cluster has not this code",
    LadderError("the loss is nan"): "the loss is nan",
}


@pytest.mark.parametrize("error", FAULTS, ids=repr)
def test_a_fault_of_the_cluster_is_one_clear_line(error):
    explained = cluster._explained(error, small(), 3)
    assert isinstance(explained, LadderError)
    assert FAULTS[error] in str(explained)


def test_a_damaged_epoch_on_this_side_gives_way_to_the_one_that_a_cluster_brings(digits, tmp_path):
    data = digits.pick(slice(300))
    store.train(small(), data, 0, tmp_path)
    folder = store.folder_of(small(), data, 0, tmp_path)
    files = store.pack(folder)
    assert len(files) == 3
    (folder / "epoch-002.safetensors").write_bytes(b"no tensors")
    (folder / "epoch-003.safetensors").unlink()
    store.unpack(folder, files)
    assert store.pack(folder) == files
