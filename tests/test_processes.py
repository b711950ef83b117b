"""Pools of processes: what they return, and that they end in time, whatever ends them."""

import contextlib
import os
import shlex
import signal
import subprocess
import sys
import time
from operator import add
from pathlib import Path

import pytest
import torch
from projects import REPOSITORY, assert_nothing_is_left, namespace, workers_of

from ladder import machine
from ladder.exceptions import LadderError
from ladder.runs import processes
from ladder.runs.processes import WorkerLostError, process_pool

SCRIPT = REPOSITORY / "tests/train_four.py"
SECONDS = 15  # from the fault to the end of all processes; an idle machine needs one, and what hangs never ends


@contextlib.contextmanager
def training(folder, command=(sys.executable, SCRIPT), **environment):
    """Start the script with a store in `folder`, in a process group of its own. Nothing of it outlives the block."""
    process = subprocess.Popen(
        [*command, folder / "store"],
        env=os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)} | environment,
        start_new_session=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        yield process
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.communicate()


def wait_until(condition, process):
    deadline = time.monotonic() + 60
    while not condition():
        assert process.poll() is None, process.stderr.read()
        assert time.monotonic() < deadline
        time.sleep(0.02)


def workers_have_started(folder, process):
    """They import torch now, and read nothing that is written to them."""
    wait_until(lambda: len(workers_of(process.pid)) == 2, process)
    time.sleep(0.3)


def runs_have_started(folder, process):
    wait_until(lambda: len(list(folder.glob("store/*/lock"))) == 2, process)


def ctrl_c(process):
    os.killpg(process.pid, signal.SIGINT)


def ctrl_c_to_one(process):
    """A terminal sends it to the whole group, `kill -INT` to one process."""
    process.send_signal(signal.SIGINT)


def kill_a_worker(process):
    os.kill(workers_of(process.pid)[0], signal.SIGKILL)


INTERRUPTED = "train_four: interrupted; what is finished is kept, so start again to continue"
KILLED = (
    "train_four: a training process was killed from outside (too little memory?); "
    "unfinished, among others: rung small seed 0 in epoch 1, rung small seed 1 in epoch 1, "
)
ENDINGS = {  # what ends it: (exit code, the one line it says)
    ctrl_c: (130, INTERRUPTED),
    ctrl_c_to_one: (130, INTERRUPTED),
    kill_a_worker: (1, KILLED),
    subprocess.Popen.terminate: (-signal.SIGTERM, ""),
    subprocess.Popen.kill: (-signal.SIGKILL, ""),
}


@pytest.mark.slow
@pytest.mark.parametrize("moment", [workers_have_started, runs_have_started])
@pytest.mark.parametrize("end", ENDINGS)
def test_a_pool_ends_in_time_with_one_line(tmp_path, end, moment):
    code, said = ENDINGS[end]
    with training(tmp_path) as process:
        moment(tmp_path, process)
        end(process)
        errors = process.communicate(timeout=SECONDS)[1].strip()
        assert_nothing_is_left(process.pid, SECONDS)
    assert process.returncode == code
    assert errors.startswith(said)
    assert len(errors.splitlines()) == bool(said)  # no traceback, no warning of leaks


@pytest.mark.slow
def test_a_pool_whose_store_cannot_be_written_ends_in_time_with_one_line(tmp_path):
    (tmp_path / "store").mkdir()
    script = f'mount -t tmpfs -o ro tmpfs {shlex.quote(str(tmp_path / "store"))} && exec "$@"'
    with training(tmp_path, [*namespace(), "sh", "-c", script, "sh", sys.executable, SCRIPT]) as process:
        errors = process.communicate(timeout=30)[1].strip()
        assert_nothing_is_left(process.pid, SECONDS)
    assert process.returncode == 1
    assert "cannot be opened: Read-only file system; give yourself the right to read and write" in errors
    assert "\n" not in errors


@pytest.mark.slow
@pytest.mark.parametrize("shell", [[], ["sh", "-c", '"$@"; exit $?', "sh"]], ids=["directly", "by_a_shell"])
def test_a_stage_ends_with_the_dvc_that_started_it(tmp_path, shell):
    """DVC hands SIGTERM to nobody. It starts a stage by a shell, which some shells replace by the stage."""
    (tmp_path / "dvc.py").write_text("import subprocess, sys; sys.exit(subprocess.run(sys.argv[1:]).returncode)")
    command = [sys.executable, tmp_path / "dvc.py", *shell, sys.executable, SCRIPT]
    with training(tmp_path, command, DVC_STAGE="train") as dvc:
        wait_until(lambda: list(tmp_path.glob("store/*/lock")), dvc)
        dvc.terminate()
        assert dvc.communicate(timeout=SECONDS)[1].startswith("train_four: DVC has ended, so this stage ends too")
        assert_nothing_is_left(dvc.pid, SECONDS)


@pytest.fixture(scope="module")
def pool():
    with process_pool(2) as pool:
        yield pool


def test_a_pool_maps_in_order(pool):
    assert list(pool.map(divmod, [7, 8, 9], [2, 3, 4])) == [(3, 1), (2, 2), (2, 1)]
    assert list(pool.map(add, "a", "b")) == ["ab"]


def loaded(*modules):
    return [module for module in modules if sys.modules.get(module)]


def test_a_worker_has_torch_without_what_no_run_needs(pool):
    names = ("torch", "cuda.bindings", "torch._dynamo", "sympy", "scipy", "pandas", "matplotlib")
    assert list(pool.map(loaded, *([name] for name in names))) == [["torch"]]


def wait_for_file(path, seconds):
    deadline = time.monotonic() + seconds
    while not Path(path).exists():
        if time.monotonic() > deadline:
            raise TimeoutError(path)
        time.sleep(0.01)


def test_two_workers_work_at_once(pool, tmp_path):
    waiting = pool.submit(wait_for_file, tmp_path / "made", 60)
    pool.submit(Path.touch, tmp_path / "made")
    done, pending = {}, {waiting}
    while pending:
        done, pending = pool.wait(pending, 60)
    assert done == {waiting}
    assert waiting.exception() is None


def test_wait_returns_after_its_time(pool, tmp_path):
    future = pool.submit(wait_for_file, tmp_path / "made", 60)
    assert pool.wait({future}, 0.01) == (set(), {future})
    (tmp_path / "made").touch()
    assert pool.wait({future}, 60)[0] == {future}


def address_and_sum(tensor):
    tensor += 1  # is seen by nobody else
    return tensor.data_ptr() % 64, int(tensor.sum()), tensor.dtype, tuple(tensor.shape)


def test_tensors_reach_the_workers_as_they_are(pool):
    images = torch.arange(6, dtype=torch.uint8).view(1, 2, 3)
    floats = torch.full((5,), 0.5)[::2]
    found = list(pool.map(address_and_sum, [images, floats, images]))
    assert found[0] == (0, 21, torch.uint8, (1, 2, 3))
    assert found[1] == (0, 4, torch.float32, (3,))  # 3 * 1.5, as a whole number
    assert images.sum() == 15


def test_a_tensor_is_written_once(pool):
    images = torch.zeros(100_000, dtype=torch.uint8)
    pool.submit(address_and_sum, images)
    end = pool.tensors.end
    assert list(pool.map(address_and_sum, [images] * 3))
    assert pool.tensors.end == end


class Awkward(Exception):  # noqa: N818
    """Cannot be unpickled."""

    def __init__(self, one, two):
        super().__init__(f"{one} and {two}")


def fail(how):
    if how == "awkward":
        raise Awkward(1, 2)
    raise how


def test_a_fault_in_a_worker_is_raised_here_and_the_pool_goes_on(pool):
    with pytest.raises(LadderError, match=r"^the loss is nan$"):
        list(pool.map(fail, [LadderError("the loss is nan")]))
    with pytest.raises(ZeroDivisionError) as raised:
        list(pool.map(divmod, [1], [0]))
    assert "in _work" in raised.value.__notes__[0]  # where in the worker it came from
    with pytest.raises(RuntimeError, match="Awkward: 1 and 2"):
        list(pool.map(fail, ["awkward"]))
    assert list(pool.map(add, [1], [2])) == [3]


def test_a_worker_that_dies_is_told_at_once():
    with process_pool(1) as pool:
        started = pool.map(os._exit, [1])
        with pytest.raises(WorkerLostError, match="killed from outside"):
            next(started)


def test_a_full_disk_is_one_clear_line():
    """/dev/full fails each write as a full disk does."""
    with process_pool(0) as pool:
        pool.tensors.file.close()
        pool.tensors.file = open("/dev/full", "wb")  # noqa: SIM115
        with pytest.raises(LadderError, match=r"\(No space left on device\); free some space, or set TMPDIR"):
            pool.submit(add, torch.ones(1), 1)
        with contextlib.suppress(OSError):
            pool.tensors.file.close()


def test_no_temporary_folder_is_one_clear_line(monkeypatch):
    def nameless():
        raise FileNotFoundError(2, "No usable temporary directory found in ['/tmp']")

    monkeypatch.setattr(processes.TensorFile.__init__.__globals__["tempfile"], "TemporaryFile", nameless)
    with pytest.raises(LadderError, match="no temporary file can be written"), process_pool(1):
        pass


@pytest.mark.parametrize("workers", ["9", "257", "1000000000", "9" * 5000])
def test_absurd_numbers_of_workers_are_one_clear_line(monkeypatch, workers):
    monkeypatch.setattr(machine, "_cores", lambda: 2)
    monkeypatch.setenv("DIGIT_LADDER_WORKERS", workers)
    with pytest.raises(LadderError, match=r"^DIGIT_LADDER_WORKERS is \d{1,20}; on this machine, 8 is the most$"):
        machine.workers()


def test_no_machine_has_more_than_256_workers(monkeypatch):
    monkeypatch.setattr(machine, "_cores", lambda: 1000)
    monkeypatch.delenv("DIGIT_LADDER_WORKERS", raising=False)
    assert machine.workers() == 256
    monkeypatch.setenv("DIGIT_LADDER_WORKERS", "0256")
    assert machine.workers() == 256
