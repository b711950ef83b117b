"""The ladder's own stages: on two thousand real digits, alone, all at once, and on a cluster of two workers."""

import contextlib
import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import termios
import threading
import time
from concurrent.futures import Future
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path

import pytest
import yaml
from dask.distributed import Client
from projects import (
    REPOSITORY,
    assert_one_clear_line,
    contents,
    make_project,
    run_module,
    run_stages,
    set_params,
    small,
)

from ladder import cards
from ladder.cards import shapes
from ladder.exceptions import LadderError
from ladder.files import read_yaml
from ladder.runs import pool, progress, store
from ladder.runs.plans import seeds_of

QUICK = {"extends": "session7_rotate", "title": "Quick", "goal": "Be quick.", "recipe": {"epochs": 2}}
LONGER = QUICK | {"title": "Longer", "recipe": {"epochs": 6, "holdout": 100}}


@pytest.fixture(scope="module")
def ladder(digits, tmp_path_factory):
    """Return a project with a ladder of two rungs, planned: `quick` with two seeds, `longer` with one."""
    folder = make_project(tmp_path_factory.mktemp("ladder"), digits, model="quick")
    for rung, card in {"quick": QUICK, "longer": LONGER}.items():
        (folder / f"rungs/cards/{rung}.yaml").write_text(yaml.safe_dump(card))
        done = run_module("stages.plan", folder, rung)
        assert done.returncode == 0, done.stderr
    (folder / "rungs/params.yaml").write_text("seeds: {quick: 2, longer: 1}\n")
    return folder


@pytest.fixture(scope="module")
def climbed(ladder, tmp_path_factory):
    """Return a copy of the ladder, trained ahead, with what `ahead` said."""
    folder = shutil.copytree(ladder, tmp_path_factory.mktemp("climbed") / "ladder")
    done = run_module("commands.train_ladder", folder, "quick", "longer", DIGIT_LADDER_WORKERS="2")
    assert done.returncode == 0, done.stderr
    return folder, done.stdout


def climb(folder, rung, seeds, **environment):
    done = run_module("stages.climb", folder, rung, "--seeds", str(seeds), **environment)
    assert done.returncode == 0, done.stderr
    return done.stdout


def runs(folder):
    """Return {file of an epoch: (time it was written, its bytes)}."""
    return {str(path): (path.stat().st_mtime_ns, path.read_bytes()) for path in folder.glob(".runs/*/epoch-*")}


def stored(folder):
    return {name: part for name, part in contents(folder / ".runs").items() if not name.endswith("lock")}


def test_a_rung_has_the_bytes_that_the_main_pipeline_gives_it(ladder, climbed, digits, tmp_path):
    folder = shutil.copytree(ladder, tmp_path / "main")
    run_stages(set_params(folder, model="quick", seeds=2, train={}), "plan", "train", "evaluate")
    climb(climbed[0], "quick", 2)
    for name in ("recipe.yaml", "metrics.json", "curves.csv", "errors.csv"):
        assert (climbed[0] / "reports/rungs/quick" / name).read_bytes() == (folder / "reports" / name).read_bytes()


def test_what_was_trained_ahead_is_not_trained_again(climbed):
    folder, said = climbed
    assert "train_ladder: 3 runs of 2 rungs" in said
    assert "3 of 3 runs done" in said
    before = runs(folder)
    output = climb(folder, "longer", 1)
    assert " epoch " not in output
    assert runs(folder) == before
    again = run_module("commands.train_ladder", folder, "quick", "longer")
    assert again.stdout == "train_ladder: nothing to train for 2 rungs\n"
    assert runs(folder) == before


def test_a_rung_alone_trains_what_it_lacks(ladder, climbed, tmp_path):
    folder = shutil.copytree(ladder, tmp_path / "alone")
    assert "longer seed 0 epoch  6/6" in climb(folder, "longer", 1)
    climb(climbed[0], "longer", 1)
    results = "reports/rungs/longer"
    assert contents(folder / results) == contents(climbed[0] / results)
    assert json.loads((folder / results / "metrics.json").read_text())["holdout_accuracy"] > 50


@pytest.mark.parametrize("epoch", [1, 6])
def test_a_damaged_epoch_is_trained_again(climbed, tmp_path, epoch):
    folder = shutil.copytree(climbed[0], tmp_path / "damaged")
    expected = stored(folder)
    longer = next(folder.glob(".runs/*/epoch-006*")).parent
    path = longer / f"epoch-{epoch:03d}.safetensors"
    path.write_bytes(path.read_bytes()[:-1])
    assert climb(folder, "longer", 1).count(" epoch ") == 6
    assert stored(folder) == expected


def test_a_damaged_epoch_on_this_side_gives_way_to_the_one_that_a_cluster_brings(climbed, tmp_path):
    folder = shutil.copytree(next(climbed[0].glob(".runs/*/epoch-006*")).parent, tmp_path / "run")
    files = store.pack(folder)
    assert len(files) == 6
    (folder / "epoch-002.safetensors").write_bytes(b"no tensors")
    (folder / "epoch-003.safetensors").unlink()
    store.unpack(folder, files)
    assert store.pack(folder) == files


def test_a_climb_counts_as_use_of_its_runs(climbed, tmp_path):
    folder = shutil.copytree(climbed[0], tmp_path / "used")
    for run in folder.glob(".runs/*"):
        os.utime(run, (0, 0))
    climb(folder, "longer", 1)
    assert store.prune(1, folder / ".runs")[0] == 2  # those of `quick`
    assert len(runs(folder)) == 6


def test_one_run_that_fails_does_not_stop_the_others(ladder, tmp_path):
    folder = shutil.copytree(ladder, tmp_path / "failing")
    path = folder / "reports/rungs/longer/recipe.yaml"
    path.write_text(path.read_text().replace("holdout: 100\n", "holdout: 10000\n"))
    done = run_module("commands.train_ladder", folder, "longer", "quick", DIGIT_LADDER_WORKERS="1")
    assert_one_clear_line(done, "train_ladder: rung longer, seed 0, holdout 10000 wants", before=["2 of 3 runs done"])
    assert len(runs(folder)) == 4


BAD = {
    ("commands.train_ladder", "qiuck"): "rungs/params.yaml has no seeds for a rung 'qiuck'; did you mean 'quick'?",
    ("stages.climb", "qiuck", "--seeds", "1"): "there is no reports/rungs/qiuck/recipe.yaml; run `dvc",
    ("stages.plan", "qiuck"): "there is no rung 'qiuck' in rungs/cards/; did you mean 'quick'?",
}


@pytest.mark.parametrize("command", BAD, ids=" ".join)
def test_a_wrong_name_or_number_is_one_clear_line(ladder, command):
    module, *arguments = command
    assert_one_clear_line(run_module(module, ladder, *arguments), BAD[command])


def test_a_rung_that_is_not_planned_is_one_clear_line(ladder, tmp_path):
    folder = shutil.copytree(ladder, tmp_path / "unplanned")
    (folder / "reports/rungs/quick/recipe.yaml").unlink()
    said = "run `dvc repro rungs/dvc.yaml:plan@quick` first"
    assert_one_clear_line(run_module("commands.train_ladder", folder, "quick"), said)


def test_progress_says_what_is_done_and_running_and_when_the_rest_will_be(monkeypatch, capsys):
    """One of the three runs weighs as much as the two others: after it and half of another a quarter is left."""
    clock = [0.0]
    monkeypatch.setattr(progress.time, "monotonic", lambda: clock[0])
    light, heavy = small(epochs=2), small(epochs=4)
    shown = progress.OfLadder([(heavy, 0), (light, 0), (light, 7)])
    with shown:
        shown.step({0, 1, 2})
        clock[0] = 3600.0
        shown.show(0, [{}] * 4)
        shown.show(1, [{}] * 2)
        shown.step({2})
        clock[0] = 3610.0
        shown.show(2, [{}])
        shown.step({2})  # too soon for another line, and nothing is finished
        clock[0] = 4210.0
        shown.step({2})
    lines = [line[6:] for line in capsys.readouterr().out.splitlines()]
    assert lines == [
        "0 of 3 runs done",
        "2 of 3 runs done; about 0 h 20 min left",
        "2 of 3 runs done; about 0 h 10 min left; running: small seed 7 1/2",
    ]


def test_what_failed_or_waits_with_earlier_epochs_is_not_running(capsys):
    shown = progress.OfLadder([(small(epochs=4), seed) for seed in range(4)])
    shown.EVERY = 0
    shown.show(0, [{}])  # it was interrupted earlier, and waits
    shown.step({0, 1, 2, 3})
    shown.show(1, [{}] * 2)
    shown.show(2, [{}] * 3)
    shown.step({0, 2, 3})  # 1 failed
    shown.show(0, [{}] * 2)
    shown.step({0, 2, 3})
    running = [line.partition("; running: ")[2] for line in capsys.readouterr().out.splitlines()]
    assert running == ["", "small seed 2 3/4", "small seed 0 2/4, small seed 2 3/4"]


def test_the_time_left_is_that_of_what_is_not_over(monkeypatch, capsys):
    """Of two equal runs one failed at once, the other needs another hour for its last quarter."""
    clock = [0.0]
    monkeypatch.setattr(progress.time, "monotonic", lambda: clock[0])
    shown = progress.OfLadder([(small(epochs=4), seed) for seed in range(2)])
    shown.step({0, 1})
    clock[0] = 3 * 3600.0
    shown.show(1, [{}] * 3)
    shown.step({1})
    assert "; about 1 h 00 min left; running: small seed 1 3/4" in capsys.readouterr().out


class Pool:
    """Stands for a process pool: one run fails at once, a second later the process of another one dies."""

    def submit(self, function, recipe, images, labels, seed, root):
        future = Future()
        error = LadderError("the loss is nan") if seed == 0 else BrokenProcessPool()
        threading.Timer(1.2 * seed, future.set_exception, [error]).start()
        return future


def test_a_process_that_dies_is_told_though_a_run_failed_before(digits, tmp_path):
    images, labels = (tensor[:100] for tensor in digits)
    runs = [(small(), seed) for seed in range(2)]
    shown = progress.OfLadder(runs)
    with pytest.raises(LadderError, match="a training process was killed from outside"):
        pool.train_runs(runs, images, labels, Pool(), shown, tmp_path, to_the_end=True)


def all_of(master):
    """Return what was written to a terminal that is closed by now; one `read` may give a part."""
    parts = []
    with contextlib.suppress(OSError):  # EIO: Linux' end of file
        while part := os.read(master, 100_000):
            parts.append(part)
    return b"".join(parts)


def test_a_terminal_of_80_columns_shows_the_time_left(monkeypatch):
    """The bar redraws one line; what stands in it must fit."""
    master, slave = os.openpty()
    termios.tcsetwinsize(slave, (24, 80))
    runs = [(cards.resolve("session7_rotate"), seed) for seed in range(30)]
    with open(slave, "w") as terminal:
        monkeypatch.setattr(sys, "stderr", terminal)
        with progress.OfLadder(runs) as shown:
            shown.step(set(range(30)))
            shown.start -= 36_000
            shown.show(0, [{}] * 15)
            shown.show(1, [{}] * 7)
            shown.step(set(range(1, 30)))
    shown = all_of(master).decode().replace("\n", "\r").split("\r")
    line = [part for part in shown if part.strip()][-1]
    assert "1 of 30 runs done; about 194 h" in line
    assert "; running: s" in line
    assert len(line) <= 80


def test_work_ranks_the_rungs_as_a_stopwatch_does():
    """Seconds an epoch on one core of an AMD EPYC, two processes side by side."""
    seconds = {"lenet5": 5, "s7_final": 9, "net9": 15, "net1": 34, "lenet5_fc4": 102, "s7_basic": 212}
    found = {rung: shapes.work(cards.resolve(rung)) / cards.resolve(rung).epochs for rung in seconds}
    rate = found["net9"] / seconds["net9"]
    for rung, of_rung in seconds.items():
        assert 1 / 1.7 < found[rung] / rate / of_rung < 1.7


@pytest.fixture
def cluster(tmp_path):
    """Return (address, worker processes) of a scheduler and two workers, each a process of its own."""
    started = []

    def start(kind, *arguments):
        command = [sys.executable, "-m", "dask", kind, *arguments, "--no-dashboard"]
        with (tmp_path / f"{kind}.log").open("a") as log:
            started.append(subprocess.Popen(command, cwd=REPOSITORY, stdout=log, stderr=log))
        return started[-1]

    try:
        file = tmp_path / "scheduler.json"
        start("scheduler", "--scheduler-file", str(file), "--port", "0", "--host", "127.0.0.1")
        deadline = time.monotonic() + 60
        while not file.exists():
            assert time.monotonic() < deadline, (tmp_path / "scheduler.log").read_text()
            time.sleep(0.1)
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


def test_a_cluster_that_loses_a_worker_gives_the_same_bytes(ladder, climbed, cluster, tmp_path):
    folder = shutil.copytree(ladder, tmp_path / "away")
    address, workers = cluster
    command = [sys.executable, "-m", "commands.train_ladder", "longer", "quick"]
    environment = os.environ | {"PYTHONPATH": str(REPOSITORY), "DASK_SCHEDULER_ADDRESS": address}
    process = subprocess.Popen(command, cwd=folder, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    with Client(address) as client:
        deadline = time.monotonic() + 120
        while len(busy := {worker for worker, tasks in client.processing().items() if tasks}) < 2:
            assert process.poll() is None, process.stderr.read()
            assert time.monotonic() < deadline
            time.sleep(0.05)
        while not runs(folder):  # an epoch has come back, so it is in the middle
            assert process.poll() is None, process.stderr.read()
            assert time.monotonic() < deadline
            time.sleep(0.05)
        assert len(runs(folder)) < 10
        assert [len(held) for held in client.has_what().values()] == [2, 2]  # images and labels, sent once
        workers[0].kill()
        output, errors = process.communicate(timeout=120)
        assert len(client.scheduler_info()["workers"]) == 1
    assert len(busy) == 2
    assert process.returncode == 0, errors.decode()
    assert "3 of 3 runs done" in output.decode()
    assert stored(folder) == stored(climbed[0])


def test_a_scheduler_that_is_not_there_is_one_clear_line(ladder, tmp_path):
    folder = shutil.copytree(ladder, tmp_path / "nowhere")
    done = run_module("commands.train_ladder", folder, "quick", DASK_SCHEDULER_ADDRESS="tcp://127.0.0.1:9")
    assert_one_clear_line(done, "DASK_SCHEDULER_ADDRESS: no scheduler answers at tcp://127.0.0.1:9")


def test_a_cluster_that_computes_other_bits_is_one_clear_line(ladder, cluster, tmp_path):
    folder = shutil.copytree(ladder, tmp_path / "bits")
    path = folder / "reports/rungs/quick/recipe.yaml"
    path.write_text(path.read_text().replace("fingerprint: ", "fingerprint: 0"))
    done = run_module("commands.train_ladder", folder, "quick", DASK_SCHEDULER_ADDRESS=cluster[0])
    assert_one_clear_line(done, "train_ladder: rung quick: the worker on", "computes other bits than those planned")
    assert not list(folder.glob(".runs/*/epoch-*"))


def test_the_committed_rungs_are_those_that_their_cards_and_params_say():
    """Reports in Git against cards and rungs/params.yaml: recipe, number of seeds, number of epochs."""
    seeds = yaml.safe_load((REPOSITORY / "rungs/params.yaml").read_text())["seeds"]
    folders = {path.parent.name: path.parent for path in REPOSITORY.glob("reports/rungs/*/metrics.json")}
    assert set(folders) == set(seeds)
    for rung, folder in folders.items():
        recipe = cards.read_recipe(folder / "recipe.yaml")
        assert recipe.model_copy(update={"fingerprint": None}) == cards.resolve(rung, cards=REPOSITORY / cards.CARDS)
        rows = [line.split(",")[:2] for line in (folder / "curves.csv").read_text().splitlines()[1:]]
        expected = [[str(seed), str(epoch)] for seed in range(seeds[rung]) for epoch in range(1, recipe.epochs + 1)]
        assert rows == expected


BAD_SEEDS = {
    "seeds: {quick: two}": "rungs/params.yaml: seeds.quick: 'two' will not do",
    "seeds: {quick: 0}": "rungs/params.yaml: seeds.quick: 0 will not do",
    "sedes: {quick: 1}": "rungs/params.yaml: unknown key 'sedes'; did you mean 'seeds'?",
    "": "rungs/params.yaml: expected keys and values",
}


@pytest.mark.parametrize("line", BAD_SEEDS)
def test_bad_numbers_of_seeds_are_one_clear_line(tmp_path, monkeypatch, line):
    (tmp_path / "rungs").mkdir()
    (tmp_path / "rungs/params.yaml").write_text(line)
    monkeypatch.chdir(tmp_path)
    with pytest.raises(LadderError, match=re.escape(BAD_SEEDS[line])):
        seeds_of(["quick"])


def md5_of(path):
    """Return the hash that DVC keeps of a file or a folder in Git."""
    if not path.is_dir():
        return hashlib.md5(path.read_bytes()).hexdigest()
    files = sorted(file.relative_to(path).as_posix() for file in path.rglob("*") if file.is_file())
    listed = json.dumps([{"md5": md5_of(path / name), "relpath": name} for name in files])
    return f"{hashlib.md5(listed.encode()).hexdigest()}.dir"


@pytest.mark.parametrize("lock", ["dvc.lock", "rungs/dvc.lock"])
def test_the_committed_results_are_of_the_committed_files(lock):
    """What DVC's lock says of each file in Git is so: a fresh clone has nothing to run but the data."""
    kept = [REPOSITORY / name for name in ("data", "reports/timing.json")]
    stages = yaml.safe_load((REPOSITORY / lock).read_text())["stages"]
    said = {
        (stage, part["path"], part["md5"])
        for stage, content in stages.items()
        for key in ("deps", "outs")
        for part in content.get(key, [])
        if not any((REPOSITORY / part["path"]).is_relative_to(path) for path in kept)
    }
    for stage, content in stages.items():
        for file, values in content.get("params", {}).items():
            now = read_yaml(REPOSITORY / file)
            assert {key: now[key] for key in values} == values, f"{stage} ran with other values than {file} has"
    found = {path: md5_of(REPOSITORY / path) for _, path, _ in said}
    assert len(found) > 15
    changed = sorted((stage, path) for stage, path, md5 in said if md5 != found[path])
    assert changed == [], "older than these: run `dvc repro && dvc repro rungs/dvc.yaml`, and commit what it writes"


def test_a_climb_that_dvc_would_run_is_what_ahead_trains(ladder, tmp_path):
    """In a repository with its DVC pipelines: nothing is climbed, so all is due."""
    folder = shutil.copytree(ladder, tmp_path / "repository")
    for name in ("rungs/dvc.yaml", "dvc.yaml", ".dvcignore"):
        shutil.copy(REPOSITORY / name, folder / name)
    for command in (["git", "init", "--quiet"], ["dvc", "init", "--quiet"]):
        subprocess.run(command, cwd=folder, check=True, env=os.environ | {"DVC_NO_ANALYTICS": "1"})
    program = "from commands.train_ladder import stale; print(sorted(stale()))"
    done = subprocess.run(
        [sys.executable, "-c", program],
        cwd=folder,
        env=os.environ | {"PYTHONPATH": str(REPOSITORY), "DVC_NO_ANALYTICS": "1"},
        capture_output=True,
        text=True,
    )
    assert done.stdout == "['longer', 'quick']\n", done.stderr
    assert Path(folder / ".runs").exists() is False
