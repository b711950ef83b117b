"""Runs that are killed, starved, damaged, or asked for twice."""

import os
import random
import shutil
import signal
import subprocess
import sys
import time

import pytest
from projects import REPOSITORY, as_bytes, namespace, small

from ladder import cards
from ladder.data.synthetic import synthetic_digits
from ladder.exceptions import LadderError
from ladder.runs import store
from ladder.training import run

KILLS = 20
# one run of 4 short epochs in a process of its own; prints when the time counted by the kills begins
PROGRAM = """
import os, signal, sys
sys.path[:0] = [{repository!r}, {tests!r}]
import torch
{before}
from projects import small
from ladder.runs import store
from ladder.data.synthetic import synthetic_digits
store.train(small(epochs=4, {changes}), *synthetic_digits(2000), seed=0, root=store.Path({root!r}))
"""


def program(root, before="", changes=""):
    return [
        sys.executable,
        "-c",
        PROGRAM.format(
            repository=str(REPOSITORY), tests=str(REPOSITORY / "tests"), before=before, changes=changes, root=str(root)
        ),
    ]


def start_again(root):
    """Run the same once more, here: another process, with other things behind it, must end with the same bytes."""
    store.train(small(epochs=4), *synthetic_digits(2000), seed=0, root=root)


def contents(root):
    """Return {path below root: bytes} of a store, without its locks."""
    return {
        str(p.relative_to(root)): p.read_bytes() for p in sorted(root.rglob("*")) if p.is_file() and p.name != "lock"
    }


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """Return (contents of the store, seconds) of an uninterrupted run in a process of its own."""
    root = tmp_path_factory.mktemp("whole")
    start = time.monotonic()
    subprocess.run(program(root), check=True)
    return contents(root), time.monotonic() - start


@pytest.mark.parametrize("kill", range(KILLS // 2))
def test_a_run_killed_at_any_time_ends_with_the_bytes_of_an_uninterrupted_one(whole, tmp_path, kill):
    expected, seconds = whole
    delay = random.Random(kill).uniform(kill, kill + 1) / (KILLS // 2) * seconds  # spread from start-up to end
    process = subprocess.Popen(program(tmp_path))
    time.sleep(delay)
    process.kill()
    process.wait()
    start_again(tmp_path)
    assert contents(tmp_path) == expected


@pytest.mark.parametrize("kill", range(KILLS // 2))
def test_a_run_killed_while_it_writes_an_epoch_ends_with_the_same_bytes(whole, tmp_path, kill):
    """Every epoch writes, flushes, renames and flushes the folder: SIGKILL before one of these, or in mid-write."""
    before = (
        "from ladder import files\n"
        "calls = iter(range(99))\n"
        "def counted(function):\n"
        "    def call(*arguments):\n"
        f"        if next(calls) == {kill}:\n"
        "            if function is write: arguments[0].open('wb').write(arguments[1][:5000])\n"
        "            os.kill(os.getpid(), signal.SIGKILL)\n"
        "        return function(*arguments)\n"
        "    return call\n"
        "write = files.Path.write_bytes\n"
        "files.Path.write_bytes, files.Path.replace = counted(write), counted(files.Path.replace)\n"
        "files.os.fsync = counted(files.os.fsync)\n"
    )
    assert subprocess.run(program(tmp_path, before)).returncode == -signal.SIGKILL
    start_again(tmp_path)
    assert contents(tmp_path) == whole[0]


def test_a_disk_that_fills_while_an_epoch_is_written_costs_nothing_finished(whole, tmp_path):
    """A file system with room for two of the four epochs: the run stops there with one line, and continues later."""
    size = len(next(iter(whole[0].values())))
    (tmp_path / "full").mkdir()
    script = 'set -e; mount -t tmpfs -o size=$1 tmpfs full; shift; "$@" || true; cp -r full kept'
    done = subprocess.run(
        [
            *namespace(),
            "sh",
            "-c",
            script,
            "sh",
            str(2 * (size // 4096 + 1) * 4096 + 4096),
            *program(tmp_path / "full"),
        ],
        cwd=tmp_path,
        capture_output=True,
        text=True,
    )
    assert "No space left on device; free some space" in done.stderr
    kept = contents(tmp_path / "kept")
    assert 0 < len(kept) < 4
    assert kept.items() <= whole[0].items()
    start_again(tmp_path / "kept")
    assert contents(tmp_path / "kept") == whole[0]


@pytest.fixture(scope="module")
def data(digits):
    images, labels = digits
    return images[:300], labels[:300]


def test_a_finished_run_is_not_run_again(data, tmp_path, monkeypatch):
    first = store.train(small(), *data, 0, tmp_path)
    monkeypatch.setattr(run, "_train", None)
    assert as_bytes(store.train(small(), *data, 0, tmp_path)) == as_bytes(first)


def test_the_store_changes_no_bytes(data, tmp_path):
    assert as_bytes(store.train(small(), *data, 0, tmp_path)) == as_bytes(run.run(small(), *data, 0))


def flip(path):
    content = bytearray(path.read_bytes())
    content[len(content) - 100] ^= 1
    path.write_bytes(content)


def truncate(path):
    path.write_bytes(path.read_bytes()[:-10])


def empty(path):
    path.write_bytes(b"")


@pytest.mark.parametrize("damage", [flip, truncate, empty])
@pytest.mark.parametrize("number", [1, 2, 3])
def test_a_damaged_epoch_is_noticed_and_trained_again(data, tmp_path, damage, number):
    expected = as_bytes(store.train(small(), *data, 0, tmp_path))
    before = contents(tmp_path)
    damage(next(tmp_path.rglob(f"epoch-00{number}.safetensors")))
    assert as_bytes(store.train(small(), *data, 0, tmp_path)) == expected
    assert contents(tmp_path) == before


def test_an_epoch_of_another_run_is_noticed_and_trained_again(data, tmp_path):
    expected = as_bytes(store.train(small(), *data, 0, tmp_path))
    store.train(small(), *data, 1, tmp_path)
    ours, other = (tmp_path / store.digest(small(), *data, seed) / "epoch-002.safetensors" for seed in (0, 1))
    shutil.copy(other, ours)
    assert as_bytes(store.train(small(), *data, 0, tmp_path)) == expected


def test_what_changes_a_runs_bytes_changes_its_name(data):
    images, labels = data
    name = store.digest(small(), images, labels, 0)
    assert store.digest(small(rung="renamed"), images, labels, 0) == name
    assert store.digest(small(), images, labels, 1) != name
    assert store.digest(small(), images.flip(0), labels, 0) != name
    assert store.digest(small(), images, labels.flip(0), 0) != name
    assert store.digest(small(epochs=4), images, labels, 0) != name
    assert store.digest(small(fingerprint="f"), images, labels, 0) != name


def test_a_run_keeps_its_name_when_the_vocabulary_grows():
    """The name that net7 had before cards knew label smoothing, on ten synthetic digits."""
    recipe = cards.resolve("net7").model_copy(update={"fingerprint": "f"})
    assert store.digest(recipe, *synthetic_digits(10), 0) == "88ede8b28766ae320a0bf786"


def test_two_processes_at_the_same_run_train_it_once(whole, tmp_path):
    both = [subprocess.Popen(program(tmp_path)) for _ in range(2)]
    assert [process.wait() for process in both] == [0, 0]
    assert contents(tmp_path) == whole[0]


def test_a_loss_that_is_not_finite_names_rung_seed_and_epoch(data, tmp_path):
    recipe = small(network=["flatten", {"linear": {"out": 10}}, "log_softmax"], learning_rate=1e38, schedule="constant")
    with pytest.raises(LadderError, match=r"^rung small, seed 7, epoch 1, batch \d+: the loss is (nan|inf)"):
        store.train(recipe, *data, 7, tmp_path)
    assert contents(tmp_path) == {}


def test_too_little_memory_names_rung_seed_and_epoch(tmp_path):
    before = (
        "import resource\n"
        "torch.ones(8).sum()\n"
        "used = int(open('/proc/self/statm').read().split()[0]) * resource.getpagesize()\n"
        "resource.setrlimit(resource.RLIMIT_AS, (used + 300_000_000,) * 2)\n"
    )
    done = subprocess.run(
        program(
            tmp_path,
            before,
            changes="batch_size=1900, network=[{'conv': {'out': 600, 'kernel': 3}}, "
            "'global_avg_pool', 'flatten', {'linear': {'out': 10}}, 'log_softmax']",
        ),
        capture_output=True,
        text=True,
    )
    assert "LadderError: rung small, seed 0, epoch 1: not enough memory; set DIGIT_LADDER_WORKERS=1" in done.stderr


def test_an_experiment_in_dvcs_copy_has_its_repositorys_store(tmp_path):
    """DVC runs `exp run --queue` and `--temp` in such folders."""
    asked = "from ladder.runs import store; print(store.RUNS.resolve())"
    for folder in (".", ".dvc/tmp/exps/tmp1", ".dvc/tmp/exps/standalone/tmp2"):
        (tmp_path / folder).mkdir(parents=True, exist_ok=True)
        done = subprocess.run(
            [sys.executable, "-c", asked],
            cwd=tmp_path / folder,
            env=os.environ | {"PYTHONPATH": str(REPOSITORY)},
            capture_output=True,
            text=True,
        )
        assert done.stdout.strip() == str(tmp_path.resolve() / ".runs"), done.stderr


def test_prune_removes_what_was_not_used_for_so_long(data, tmp_path):
    for seed in (0, 1):
        store.train(small(epochs=1), *data, seed, tmp_path)
    old = tmp_path / store.digest(small(epochs=1), *data, 0)
    os.utime(old, (time.time() - 31 * 86400,) * 2)
    runs, size = store.prune(30, tmp_path)
    assert (runs, size > 1000) == (1, True)
    assert [path.name for path in tmp_path.iterdir()] == [store.digest(small(epochs=1), *data, 1)]


def test_prune_leaves_alone_what_is_in_training(data, tmp_path):
    store.train(small(epochs=1), *data, 0, tmp_path)
    folder = tmp_path / store.digest(small(epochs=1), *data, 0)
    with store._locked(folder):
        assert store.prune(0, tmp_path) == (0, 0)
    assert store.prune(0, tmp_path)[0] == 1
    assert not folder.exists()
