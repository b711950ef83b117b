"""The ladder's own stages: on two thousand real digits, alone, all at once, and on a cluster of two workers."""

import json
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest
import yaml
from commands import REPOSITORY, assert_one_clear_line, run_module
from dask.distributed import Client
from test_pipeline import contents, make_project, run_stages, set_params
from test_run import small

from ladder import cards, machine, progress, shapes

QUICK = {"extends": "session7_rotate", "title": "Quick", "target": "Be quick.", "recipe": {"epochs": 2}}
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
    done = run_module("stages.ahead", folder, "quick", "longer", DIGIT_LADDER_WORKERS="2")
    assert done.returncode == 0, done.stderr
    return folder, done.stdout


def climb(folder, rung, seeds, **environment):
    done = run_module("stages.climb", folder, rung, "--seeds", str(seeds), **environment)
    assert done.returncode == 0, done.stderr
    return done.stdout


def runs(folder):
    """Return {file of an epoch: (time it was written, its bytes)}."""
    return {path.name: (path.stat().st_mtime_ns, path.read_bytes()) for path in folder.glob(".runs/*/epoch-*")}


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
    assert "ahead: 3 runs of 2 rungs" in said
    assert "3 of 3 runs done" in said
    before = runs(folder)
    output = climb(folder, "longer", 1)
    assert " epoch " not in output
    assert runs(folder) == before
    again = run_module("stages.ahead", folder, "quick", "longer")
    assert again.stdout == "ahead: nothing to train for 2 rungs\n"
    assert runs(folder) == before


def test_a_rung_alone_trains_what_it_lacks(ladder, climbed, tmp_path):
    folder = shutil.copytree(ladder, tmp_path / "alone")
    assert "longer seed 0 epoch  6/6" in climb(folder, "longer", 1)
    climb(climbed[0], "longer", 1)
    results = "reports/rungs/longer"
    assert contents(folder / results) == contents(climbed[0] / results)
    assert json.loads((folder / results / "metrics.json").read_text())["holdout_accuracy"] > 50


def test_a_damaged_epoch_is_trained_again(climbed, tmp_path):
    folder = shutil.copytree(climbed[0], tmp_path / "damaged")
    expected = stored(folder)
    path = next(folder.glob(".runs/*/epoch-006*"))
    path.write_bytes(path.read_bytes()[:-1])
    climb(folder, "longer", 1)
    assert stored(folder) == expected


BAD = {
    ("stages.ahead", "qiuck"): "rungs/params.yaml has no seeds for a rung 'qiuck'; did you mean 'quick'?",
    ("stages.climb", "qiuck", "--seeds", "1"): "reports/rungs/qiuck/recipe.yaml: no such file",
    ("stages.climb", "quick", "--seeds", "0"): "--seeds is 0; it must be 1 or more",
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
    assert_one_clear_line(run_module("stages.ahead", folder, "quick"), said)


def test_progress_says_what_is_done_and_running_and_when_the_rest_will_be(monkeypatch, capsys):
    """One of the three runs weighs as much as the two others: after it and half of another a quarter is left."""
    clock = [0.0]
    monkeypatch.setattr(progress.time, "monotonic", lambda: clock[0])
    light, heavy = small(epochs=2), small(epochs=4)
    shown = progress.OfLadder([(heavy, 0), (light, 0), (light, 7)])
    with shown:
        shown.step()
        clock[0] = 3600.0
        shown.show(0, [{}] * 4)
        shown.show(1, [{}] * 2)
        shown.step()
        clock[0] = 3610.0
        shown.show(2, [{}])
        shown.step()  # too soon for another line, and nothing is finished
        clock[0] = 4210.0
        shown.step()
    lines = [line[6:] for line in capsys.readouterr().out.splitlines()]
    assert lines == [
        "0 of 3 runs done",
        "2 of 3 runs done; about 0 h 20 min left",
        "2 of 3 runs done; running: small seed 7 1/2; about 0 h 10 min left",
    ]


def test_work_ranks_the_rungs_as_a_stopwatch_does():
    """Seconds an epoch on one core of an AMD EPYC, two processes side by side."""
    seconds = {"lenet5": 5, "s7_final": 9, "net9": 15, "net1": 34, "lenet5_fc4": 102, "s7_basic": 212}
    found = {rung: shapes.work(cards.resolve(rung)) / cards.resolve(rung).epochs for rung in seconds}
    rate = found["net9"] / seconds["net9"]
    for rung, of_rung in seconds.items():
        assert found[rung] / rate == pytest.approx(of_rung, rel=0.6)


@pytest.fixture
def cluster(tmp_path):
    """Return (address, worker processes) of a scheduler and two workers, each a process of its own."""
    environment = os.environ | {"PYTHONPATH": str(REPOSITORY)}
    started = []

    def start(kind, *arguments):
        command = [sys.executable, "-m", f"distributed.cli.dask_{kind}", *arguments]
        with (tmp_path / f"{kind}.log").open("a") as log:
            started.append(subprocess.Popen(command, cwd=tmp_path, env=environment, stdout=log, stderr=log))
        return started[-1]

    file = tmp_path / "scheduler.json"
    start("scheduler", "--scheduler-file", str(file), "--port", "0", "--no-dashboard", "--host", "127.0.0.1")
    deadline = time.monotonic() + 60
    while not file.exists():
        assert time.monotonic() < deadline, (tmp_path / "scheduler.log").read_text()
        time.sleep(0.1)
    address = json.loads(file.read_text())["address"]
    workers = [start("worker", address, "--nthreads", "1", "--no-nanny", "--no-dashboard") for _ in range(2)]
    with Client(address) as client:
        client.wait_for_workers(2, timeout=60)
    yield address, workers
    for process in started:
        process.kill()
        process.wait()


def test_a_cluster_that_loses_a_worker_gives_the_same_bytes(ladder, climbed, cluster, tmp_path):
    folder = shutil.copytree(ladder, tmp_path / "away")
    address, workers = cluster
    command = [sys.executable, "-m", "stages.ahead", "longer", "quick"]
    environment = os.environ | {"PYTHONPATH": str(REPOSITORY), "DASK_SCHEDULER_ADDRESS": address}
    process = subprocess.Popen(command, cwd=folder, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    with Client(address) as client:
        deadline = time.monotonic() + 60
        while len(busy := {worker for worker, tasks in client.processing().items() if tasks}) < 2:
            assert process.poll() is None, process.stderr.read()
            assert time.monotonic() < deadline
            time.sleep(0.05)
        time.sleep(1)  # in the middle of it
        workers[0].kill()
        output, errors = process.communicate(timeout=120)
        assert len(client.scheduler_info()["workers"]) == 1
    assert len(busy) == 2
    assert process.returncode == 0, errors.decode()
    assert "3 of 3 runs done" in output.decode()
    assert stored(folder) == stored(climbed[0])


def test_a_scheduler_that_is_not_there_is_one_clear_line(ladder, tmp_path):
    folder = shutil.copytree(ladder, tmp_path / "nowhere")
    done = run_module("stages.ahead", folder, "quick", DASK_SCHEDULER_ADDRESS="tcp://127.0.0.1:9")
    assert_one_clear_line(done, "DASK_SCHEDULER_ADDRESS: no scheduler answers at tcp://127.0.0.1:9")


def test_a_cluster_that_computes_other_bits_is_one_clear_line(ladder, cluster, tmp_path):
    folder = shutil.copytree(ladder, tmp_path / "bits")
    path = folder / "reports/rungs/quick/recipe.yaml"
    path.write_text(path.read_text().replace("fingerprint: ", "fingerprint: 0"))
    done = run_module("stages.ahead", folder, "quick", DASK_SCHEDULER_ADDRESS=cluster[0])
    assert_one_clear_line(done, "ahead: rung quick: the worker on", "computes other bits than those planned")
    assert not list(folder.glob(".runs/*/epoch-*"))


def test_the_committed_rungs_are_those_that_their_cards_and_params_say():
    """Reports in Git against cards and rungs/params.yaml: recipe, number of seeds, number of epochs."""
    seeds = yaml.safe_load((REPOSITORY / "rungs/params.yaml").read_text())["seeds"]
    folders = {path.parent.name: path.parent for path in REPOSITORY.glob("reports/rungs/*/metrics.json")}
    assert set(folders) == set(seeds)
    machine.configure(portable=True)
    for rung, folder in folders.items():
        recipe = cards.read_recipe(folder / "recipe.yaml")
        assert recipe.model_copy(update={"fingerprint": None}) == cards.resolve(rung, cards=REPOSITORY / cards.CARDS)
        rows = [line.split(",")[:2] for line in (folder / "curves.csv").read_text().splitlines()[1:]]
        expected = [[str(seed), str(epoch)] for seed in range(seeds[rung]) for epoch in range(1, recipe.epochs + 1)]
        assert rows == expected


def test_a_climb_that_dvc_would_run_is_what_ahead_trains(ladder, tmp_path):
    """In a repository with its DVC pipelines: nothing is climbed, so all is due."""
    folder = shutil.copytree(ladder, tmp_path / "repository")
    for name in ("rungs/dvc.yaml", "dvc.yaml", ".dvcignore"):
        shutil.copy(REPOSITORY / name, folder / name)
    for command in (["git", "init", "--quiet"], ["dvc", "init", "--quiet"]):
        subprocess.run(command, cwd=folder, check=True, env=os.environ | {"DVC_NO_ANALYTICS": "1"})
    program = "from stages.ahead import stale; print(sorted(stale()))"
    done = subprocess.run(
        [sys.executable, "-c", program],
        cwd=folder,
        env=os.environ | {"PYTHONPATH": str(REPOSITORY), "DVC_NO_ANALYTICS": "1"},
        capture_output=True,
        text=True,
    )
    assert done.stdout == "['longer', 'quick']\n", done.stderr
    assert Path(folder / ".runs").exists() is False
