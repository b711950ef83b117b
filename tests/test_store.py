"""Runs that are killed, starved, damaged, or asked for twice."""

import multiprocessing
import os
import random
import resource
import shutil
import signal
import stat
import subprocess
import sys
import time

import pytest
from projects import as_bytes, namespace, small, stored

from ladder import cards, files
from ladder.data import tensors
from ladder.data.synthetic import synthetic_digits
from ladder.exceptions import LadderError
from ladder.runs import store
from ladder.training import run

pytestmark = pytest.mark.slow

KILLS = 10
# Its processes are copies of one that has imported torch and done nothing else. Each starts in 0.02 s, not in two.
FRESH = multiprocessing.get_context("forkserver")
FRESH.set_forkserver_preload(["ladder.runs.store", "ladder.data.synthetic", "projects"])


def train(root, before=lambda: None, images=600, **changes):
    """Train a run of four short epochs; first call `before`."""
    before()
    store.train(small(epochs=4, **changes), synthetic_digits(images), seed=0, root=root)


def start(*arguments):
    """Start `train` in a process of its own."""
    process = FRESH.Process(target=train, args=arguments)
    process.start()
    return process


def exit_code(process):
    process.join(60)
    return process.exitcode


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """Return (contents of the store, seconds) of an uninterrupted run in a process of its own."""
    exit_code(start(tmp_path_factory.mktemp("first")))  # the server starts
    root = tmp_path_factory.mktemp("whole")
    began = time.monotonic()
    assert exit_code(start(root)) == 0
    return stored(root), time.monotonic() - began


@pytest.mark.parametrize("kill", range(KILLS))
def test_a_run_killed_at_any_time_ends_with_the_bytes_of_an_uninterrupted_one(whole, tmp_path, kill):
    expected, seconds = whole
    process = start(tmp_path)
    time.sleep(random.Random(kill).uniform(kill, kill + 1) / KILLS * seconds)  # spread from start to end
    process.kill()
    process.join()
    train(tmp_path)  # another process, with other things behind it
    assert stored(tmp_path) == expected


class KilledAt:
    """Called before a run: SIGKILL comes before the step `number` of writing epochs, or in the middle of a write.

    Every epoch takes four steps: write the file, flush it, rename it, flush the folder.
    """

    def __init__(self, number):
        self.number = number

    def __call__(self):
        steps = iter(range(99))

        def counted(function):
            def call(*arguments):
                if next(steps) == self.number:
                    if function is write:
                        arguments[1].write_bytes(bytes(5000))
                    os.kill(os.getpid(), signal.SIGKILL)
                return function(*arguments)

            return call

        write = tensors.safetensors.torch.save_file
        tensors.safetensors.torch.save_file, files.Path.replace = counted(write), counted(files.Path.replace)
        files.os.fsync = counted(files.os.fsync)


@pytest.mark.parametrize("step", range(KILLS))
def test_a_run_killed_while_it_writes_an_epoch_ends_with_the_same_bytes(whole, tmp_path, step):
    assert exit_code(start(tmp_path, KilledAt(step))) == -signal.SIGKILL
    assert len(list(tmp_path.rglob("epoch-*"))) == (step + 1) // 4  # the fourth step comes after the rename
    train(tmp_path)
    assert stored(tmp_path) == whole[0]


def test_a_written_file_has_the_rights_that_the_umask_leaves(tmp_path):
    before = os.umask(0o027)
    try:
        files.write_bytes(tmp_path / "new", b"content")
    finally:
        os.umask(before)
    assert stat.filemode((tmp_path / "new").stat().st_mode) == "-rw-r-----"
    assert [path.name for path in tmp_path.iterdir()] == ["new"]


def test_a_disk_that_fills_while_an_epoch_is_written_costs_nothing_finished(whole, tmp_path):
    """A file system with room for two of the four epochs: the run stops there with one line, and continues later."""
    size = len(next(iter(whole[0].values())))
    (tmp_path / "full").mkdir()
    room = str(2 * (size // 4096 + 1) * 4096 + 4096)
    program = (
        f"import sys; sys.path[:0] = {sys.path}; import test_store; test_store.train(test_store.store.Path('full'))"
    )
    script = 'set -e; mount -t tmpfs -o size=$1 tmpfs full; shift; "$@" || true; cp -r full kept'
    done = subprocess.run(
        [*namespace(), "sh", "-c", script, "sh", room, sys.executable, "-c", program],
        cwd=tmp_path,
        capture_output=True,
        text=True,
    )
    assert "No space left on device; free some space" in done.stderr
    kept = stored(tmp_path / "kept")
    assert 0 < len(kept) < 4
    assert kept.items() <= whole[0].items()
    train(tmp_path / "kept")
    assert stored(tmp_path / "kept") == whole[0]


@pytest.fixture(scope="module")
def data(digits):
    return digits.pick(slice(300))


def test_a_finished_run_is_not_run_again(data, tmp_path, monkeypatch):
    first = store.train(small(), data, 0, tmp_path)
    monkeypatch.setattr(run, "_train", None)
    assert as_bytes(store.train(small(), data, 0, tmp_path)) == as_bytes(first)


def test_the_store_changes_no_bytes(data, tmp_path):
    assert as_bytes(store.train(small(), data, 0, tmp_path)) == as_bytes(run.run(small(), data, 0))


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
    expected = as_bytes(store.train(small(), data, 0, tmp_path))
    before = stored(tmp_path)
    damage(next(tmp_path.rglob(f"epoch-00{number}.safetensors")))
    assert as_bytes(store.train(small(), data, 0, tmp_path)) == expected
    assert stored(tmp_path) == before


def test_an_epoch_of_another_run_is_noticed_and_trained_again(data, tmp_path):
    expected = as_bytes(store.train(small(), data, 0, tmp_path))
    store.train(small(), data, 1, tmp_path)
    ours, other = (tmp_path / store.digest(small(), data, seed) / "epoch-002.safetensors" for seed in (0, 1))
    shutil.copy(other, ours)
    assert as_bytes(store.train(small(), data, 0, tmp_path)) == expected


def test_what_changes_a_runs_bytes_changes_its_name(data):
    name = store.digest(small(), data, 0)
    assert store.digest(small(rung="renamed"), data, 0) == name
    assert store.digest(small(), data, 1) != name
    assert store.digest(small(), data._replace(images=data.images.flip(0)), 0) != name
    assert store.digest(small(), data._replace(labels=data.labels.flip(0)), 0) != name
    assert store.digest(small(epochs=4), data, 0) != name
    assert store.digest(small(fingerprint="f"), data, 0) != name


def test_who_made_an_image_is_in_the_name_of_a_run_that_holds_images_out():
    data = synthetic_digits(300)
    unknown = data._replace(groups=None, kinds=None)
    for holdout, equal in ((0, True), (20, False)):
        recipe = small(holdout=holdout, schedule="constant")
        assert (store.digest(recipe, data, 0) == store.digest(recipe, unknown, 0)) == equal


def test_a_run_keeps_its_name_when_the_vocabulary_grows():
    """The name that net7 has had since the engine of lanes, on ten synthetic digits."""
    recipe = cards.resolve("net7").model_copy(update={"fingerprint": "f"})
    assert store.digest(recipe, synthetic_digits(10), 0) == "90eceae2ac51a16f39e8a62e"


def test_two_processes_at_the_same_run_train_it_once(whole, tmp_path):
    assert [exit_code(process) for process in [start(tmp_path), start(tmp_path)]] == [0, 0]
    assert stored(tmp_path) == whole[0]


def test_a_loss_that_is_not_finite_names_rung_seed_and_epoch(data, tmp_path):
    recipe = small(network=["flatten", {"linear": {"out": 10}}, "log_softmax"], learning_rate=1e38, schedule="constant")
    with pytest.raises(LadderError, match=r"^rung small, seed 7, epoch 1, batch \d+: the loss is (nan|inf)"):
        store.train(recipe, data, 7, tmp_path)
    assert stored(tmp_path) == {}


def limit_memory():
    used = int(open("/proc/self/statm").read().split()[0]) * resource.getpagesize()  # noqa: SIM115
    resource.setrlimit(resource.RLIMIT_AS, (used + 300_000_000,) * 2)


def starved(root):
    wide = [{"conv": {"out": 600, "kernel": 3}}, "global_avg_pool", "flatten", {"linear": {"out": 10}}, "log_softmax"]
    try:
        train(root, limit_memory, images=2000, batch_size=1900, network=wide)
    except LadderError as error:
        (root / "said").write_text(str(error))


def test_too_little_memory_names_rung_seed_and_epoch(tmp_path):
    process = FRESH.Process(target=starved, args=[tmp_path])
    process.start()
    assert exit_code(process) == 0
    said = (tmp_path / "said").read_text()
    assert said.startswith("rung small, seed 0, epoch 1: not enough memory; set DIGIT_LADDER_WORKERS=1")


@pytest.mark.parametrize("folder", [".", ".dvc/tmp/exps/tmp1", ".dvc/tmp/exps/standalone/tmp2"])
def test_an_experiment_in_dvcs_copy_has_its_repositorys_store(tmp_path, monkeypatch, folder):
    """DVC runs `exp run --queue` and `--temp` in such folders."""
    (tmp_path / folder).mkdir(parents=True, exist_ok=True)
    monkeypatch.chdir(tmp_path / folder)
    assert store._runs().resolve() == tmp_path.resolve() / ".runs"


def test_a_store_that_is_a_file_is_one_clear_line(data, tmp_path):
    (tmp_path / ".runs").write_text("")
    with pytest.raises(LadderError, match=r"\.runs is a file; move it away, since runs are kept in a folder there$"):
        store.train(small(epochs=1), data, 0, tmp_path / ".runs")
    (tmp_path / ".runs").unlink()
    (tmp_path / ".runs").symlink_to("nowhere")
    with pytest.raises(LadderError, match=r"\.runs is a file; move it away"):
        store.train(small(epochs=1), data, 0, tmp_path / ".runs")


def test_a_store_that_cannot_be_opened_is_one_clear_line(data, tmp_path, monkeypatch):
    def refuse(*_, **__):
        raise PermissionError(13, "Permission denied", str(tmp_path))

    monkeypatch.setattr(store.FileLock, "acquire", refuse)
    with pytest.raises(
        LadderError, match=r": cannot be opened: Permission denied; give yourself the right to read and"
    ):
        store.train(small(epochs=1), data, 0, tmp_path)


def test_a_finished_run_is_read_from_a_store_that_cannot_be_written(data, tmp_path, monkeypatch):
    expected = store.train(small(epochs=1), data, 0, tmp_path)

    def refuse(*_):
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(os, "utime", refuse)
    assert as_bytes(store.finished(small(epochs=1), data, 0, tmp_path)) == as_bytes(expected)


def test_prune_removes_what_was_not_used_for_so_long(data, tmp_path):
    for seed in (0, 1):
        store.train(small(epochs=1), data, seed, tmp_path)
    old = tmp_path / store.digest(small(epochs=1), data, 0)
    os.utime(old, (time.time() - 31 * 86400,) * 2)
    runs, size = store.prune(30, tmp_path)
    assert (runs, size > 1000) == (1, True)
    assert [path.name for path in tmp_path.iterdir()] == [store.digest(small(epochs=1), data, 1)]


def hold(folder, held):
    with store._locked(folder):
        held.set()
        time.sleep(60)


def test_prune_leaves_alone_what_is_in_training_until_that_process_dies(data, tmp_path):
    store.train(small(epochs=1), data, 0, tmp_path)
    folder = tmp_path / store.digest(small(epochs=1), data, 0)
    held = FRESH.Event()
    process = FRESH.Process(target=hold, args=(folder, held))
    process.start()
    assert held.wait(60)
    assert store.prune(0, tmp_path) == (0, 0)
    process.kill()
    process.join()
    assert store.prune(0, tmp_path)[0] == 1
    assert not folder.exists()


def test_a_run_that_was_pruned_while_it_was_waited_for_is_trained(data, tmp_path):
    folder = store.folder_of(small(epochs=1), data, 0, tmp_path)
    expected = store.train(small(epochs=1), data, 0, tmp_path)
    with store._locked(folder):
        process = FRESH.Process(target=store.train, args=(small(epochs=1), data, 0, tmp_path))
        process.start()
        time.sleep(0.5)
        shutil.rmtree(folder, ignore_errors=True)
    assert exit_code(process) == 0
    assert as_bytes(store.finished(small(epochs=1), data, 0, tmp_path)) == as_bytes(expected)
