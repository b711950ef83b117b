"""The ladder's own stages on two thousand real digits: one rung alone, and all by one command."""

import json
import os
import re
import shutil
import subprocess
import sys

import pytest
from projects import (
    REPOSITORY,
    assert_one_clear_line,
    contents,
    epoch_files,
    run_module,
    run_stages,
    set_params,
    stored,
)

from ladder.data.splits import read_split
from ladder.exceptions import LadderError
from ladder.runs import store
from ladder.runs.plans import read_plan, seeds_of, train_missing


def climb(folder, rung, seeds):
    done = run_module("stages.climb", folder, rung, "--seeds", str(seeds), DIGIT_LADDER_WORKERS="1")
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.slow
def test_a_rung_has_the_bytes_that_the_main_pipeline_gives_it(ladder, trained, tmp_path):
    main, rung = shutil.copytree(ladder, tmp_path / "main"), shutil.copytree(trained[0], tmp_path / "rung")
    shutil.copy(main / "reports/rungs/quick/recipe.yaml", main / "reports")
    run_stages(set_params(main, model="quick", seeds=2, train={}), "train", "evaluate", DIGIT_LADDER_WORKERS="1")
    climb(rung, "quick", 2)
    for name in ("metrics.json", "curves.csv", "errors.csv"):
        assert (rung / "reports/rungs/quick" / name).read_bytes() == (main / "reports" / name).read_bytes()


@pytest.mark.slow
def test_what_train_ladder_has_trained_is_not_trained_again(ladder, trained, tmp_path):
    folder, alone = shutil.copytree(trained[0], tmp_path / "trained"), shutil.copytree(ladder, tmp_path / "alone")
    assert "train_ladder: 3 runs of 2 rungs" in trained[1]
    assert "3 of 3 runs done" in trained[1]
    before = epoch_files(folder)
    for run in folder.glob(".runs/*"):
        os.utime(run, (0, 0))
    assert " epoch " not in climb(folder, "longer", 1)
    again = run_module("commands.train_ladder", folder, "quick", "longer")
    assert re.fullmatch("train_ladder: nothing to train for 2 rungs\n", again.stdout)
    assert epoch_files(folder) == before

    assert "longer seed 0 epoch  6/6" in climb(alone, "longer", 1)
    results = "reports/rungs/longer"
    assert contents(alone / results) == contents(folder / results)
    assert json.loads((alone / results / "metrics.json").read_text())["holdout_accuracy"] > 50

    assert store.prune(1, folder / ".runs")[0] == 2  # those of `quick`: a climb counts as use of its runs
    assert len(epoch_files(folder)) == 6


@pytest.mark.slow  # with the training of the ladder, which other slow tests share
def test_a_rung_with_a_damaged_epoch_is_trained_again(trained, tmp_path, monkeypatch, capsys):
    folder = shutil.copytree(trained[0], tmp_path / "damaged")
    expected = stored(folder / ".runs")
    path = next(folder.glob(".runs/*/epoch-006*")).with_name("epoch-001.safetensors")
    path.write_bytes(path.read_bytes()[:-1])
    monkeypatch.chdir(folder)
    train_missing(read_plan("longer"), range(1), read_split("train"))
    assert capsys.readouterr().out.count(" epoch ") == 6
    assert stored(folder / ".runs") == expected


@pytest.mark.slow
def test_one_run_that_fails_does_not_stop_the_others(ladder, tmp_path):
    folder = shutil.copytree(ladder, tmp_path / "failing")
    path = folder / "reports/rungs/longer/recipe.yaml"
    path.write_text(path.read_text().replace("holdout: 100\n", "holdout: 10000\n"))
    done = run_module("commands.train_ladder", folder, "longer", "quick", DIGIT_LADDER_WORKERS="1")
    assert_one_clear_line(done, "train_ladder: rung longer, seed 0, holdout 10000 wants", before=["2 of 3 runs done"])
    assert len(epoch_files(folder)) == 4


BAD = {
    ("commands.train_ladder", "qiuck"): "rungs/params.yaml has no seeds for a rung 'qiuck'; did you mean 'quick'?",
    ("stages.climb", "qiuck", "--seeds", "1"): "reports/rungs/qiuck/recipe.yaml",
    ("stages.plan", "qiuck"): "there is no rung 'qiuck' in rungs/cards/; did you mean 'quick'?",
}


@pytest.mark.parametrize("command", BAD, ids=" ".join)
def test_a_wrong_name_is_one_clear_line(ladder, command):
    module, *arguments = command
    assert_one_clear_line(run_module(module, ladder, *arguments), BAD[command])


def test_a_rung_that_is_not_planned_is_one_clear_line(ladder, tmp_path):
    folder = shutil.copytree(ladder, tmp_path / "unplanned")
    (folder / "reports/rungs/quick/recipe.yaml").unlink()
    said = "run `dvc repro rungs/dvc.yaml:plan@quick` first"
    assert_one_clear_line(run_module("commands.train_ladder", folder, "quick"), said)


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


def test_a_climb_that_dvc_would_run_is_what_train_ladder_trains(ladder, tmp_path):
    """In a repository with its DVC pipelines: nothing is climbed, so all is due."""
    folder = shutil.copytree(ladder, tmp_path / "repository")
    for name in ("rungs/dvc.yaml", "dvc.yaml", ".dvcignore"):
        shutil.copy(REPOSITORY / name, folder / name)
    (folder / "rungs/data_sets.yaml").write_text("data_sets: {mnist: reports}\nelsewhere: {}\n")
    for command in (["git", "init", "--quiet"], ["dvc", "init", "--quiet"]):
        subprocess.run(command, cwd=folder, check=True)
    program = "from commands.train_ladder import stale; print(sorted(stale()))"
    done = subprocess.run(
        [sys.executable, "-c", program],
        cwd=folder,
        env=os.environ | {"PYTHONPATH": str(REPOSITORY)},
        capture_output=True,
        text=True,
    )
    assert done.stdout == "['longer', 'quick']\n", done.stderr
    assert not (folder / ".runs").exists()
