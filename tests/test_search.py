"""The search: what it ranks is what runs reach on held-out images, and it never asks for the test images."""

import csv
import shutil
from pathlib import Path

import pytest
import yaml
from projects import REPOSITORY, assert_one_clear_line, run_module

from commands.search import read_search
from ladder.data.synthetic import synthetic_digits
from ladder.data.tensors import write_tensors
from ladder.exceptions import LadderError
from ladder.training import run

SEARCH = {
    "seeds": [100, 101],
    "holdout": 400,
    "train": {"epochs": 2},
    "candidates": {
        "slow": {"extends": "session7_steplr", "recipe": {"learning_rate": 0.0001}},
        "fast": {"extends": "slow", "recipe": {"learning_rate": 0.05}},
    },
}


@pytest.fixture
def project(tmp_path):
    write_tensors(tmp_path / "data/sets/mnist/processed/train.safetensors", synthetic_digits(2000)._asdict())
    shutil.copytree(REPOSITORY / "rungs/cards", tmp_path / "rungs/cards")
    return tmp_path


def write(folder, **changes):
    (folder / "search.yaml").write_text(yaml.safe_dump(SEARCH | changes))


@pytest.mark.slow
def test_candidates_are_ranked_by_what_their_runs_reach_on_the_holdout(project, monkeypatch):
    write(project)
    done = run_module("commands.search", project, "search.yaml")
    assert done.returncode == 0, done.stderr
    with (project / "search.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [row["candidate"] for row in rows] == ["fast", "slow"]
    monkeypatch.chdir(project)
    recipes, seeds = read_search(Path("search.yaml"))
    assert seeds == [100, 101]
    settings = {name: (r.epochs, r.holdout, r.learning_rate, r.batch_size) for name, r in recipes.items()}
    assert settings == {"slow": (2, 400, 0.0001, 128), "fast": (2, 400, 0.05, 128)}
    for row in rows:
        ended = [run.run(recipes[row["candidate"]], synthetic_digits(2000), seed)[-1].row for seed in seeds]
        expected = [epoch["holdout_accuracy"] for epoch in ended]
        assert float(row["holdout_accuracy"]) == pytest.approx(sum(expected) / 2, abs=1e-4)
        assert row["by_seed"] == f"100:{expected[0]:.2f} 101:{expected[1]:.2f}"
        assert row["parameters"] == "7596"
    assert (project / "search.csv").read_text() in done.stdout


@pytest.mark.slow
def test_a_candidate_that_fails_is_named_and_the_others_are_ranked(project):
    """Two linear layers at this rate grow with every batch: too few of them on trial, enough in the second epoch."""
    layers = ["flatten", {"linear": {"out": 50}}, {"linear": {"out": 10}}, "log_softmax"]
    wild = {"extends": "slow", "network": layers, "recipe": {"learning_rate": 10.0, "schedule": "constant"}}
    write(project, candidates=SEARCH["candidates"] | {"wild": wild}, seeds=[100])
    done = run_module("commands.search", project, "search.yaml")
    with (project / "search.csv").open() as file:
        assert [row["candidate"] for row in csv.DictReader(file)] == ["fast", "slow"]
    assert_one_clear_line(done, "search: rung wild, seed 100, epoch 2, ", "not ranked: wild", before=["fast,7596,2,"])


@pytest.mark.parametrize("path", sorted((REPOSITORY / "docs").glob("*/*.yaml")), ids=lambda path: path.stem)
def test_the_committed_searches_can_be_repeated(path, monkeypatch):
    """All but the candidates that used words which cards have lost since: docs/search.md says where those are."""
    monkeypatch.chdir(REPOSITORY)
    recipes, seeds = read_search(path)
    with path.with_suffix(".csv").open() as file:
        rows = list(csv.DictReader(file))
    assert sorted(row["candidate"] for row in rows) == sorted(recipes)
    assert all([part.split(":")[0] for part in row["by_seed"].split()] == [str(seed) for seed in seeds] for row in rows)


def test_the_ablation_of_champion_changes_one_thing_at_a_time(monkeypatch):
    monkeypatch.chdir(REPOSITORY)
    recipes, seeds = read_search(Path("docs/ablation/champion.yaml"))
    said = {name: recipe.model_dump(exclude={"rung"}) for name, recipe in recipes.items()}
    complete = said.pop("complete")
    changed = {name: {key for key in one if one[key] != complete[key]} for name, one in said.items()}
    with_a_rate_of_its_own = {"constant_rate", "no_batch_norm"}
    for name, keys in changed.items():
        assert len(keys - ({"learning_rate"} if name in with_a_rate_of_its_own else set())) == 1, (name, keys)
    assert len(seeds) == 10


def test_a_candidate_may_watch_the_searchs_own_holdout(project, monkeypatch):
    plateau = {"plateau": {"factor": 0.1, "patience": 1}}
    write(project, candidates={"watching": {"extends": "net8", "recipe": {"schedule": plateau}}})
    monkeypatch.chdir(project)
    recipes, _ = read_search(Path("search.yaml"))
    assert (recipes["watching"].schedule.name, recipes["watching"].holdout) == ("plateau", 400)


BAD = {
    "a card's recipe": ({"candidates": {"x": {"extends": "net8", "recipe": 3}}}, "x.yaml: recipe: 3 will not do"),
    "unknown key": ({"seed": [1]}, "search.yaml: unknown key 'seed'; did you mean 'seeds'?"),
    "no holdout": ({"holdout": 3}, "search.yaml: holdout: 3 will not do"),
    "a rung's name": ({"candidates": {"net9": {"extends": "net8"}}}, "'net9' is a rung already"),
    "a bad recipe": (
        {"candidates": {"x": {"extends": "net8", "recipe": {"epoch": 3}}}},
        "search.yaml: candidates: x.yaml: unknown key 'epoch'",
    ),
    "a seed twice": ({"seeds": [100, 101, 100]}, "search.yaml: seeds: [100, 101, 100] has a seed twice"),
    "a path for a name": (
        {"candidates": {"../x": {"extends": "net8"}}},
        "candidates: '../x' is not a valid name",
    ),
    "the folder above": ({"candidates": {"..": {"extends": "net8"}}}, "candidates: '..' is not a valid name"),
    "nothing to try": ({"candidates": {}}, "search.yaml: candidates: {} will not do"),
    "what is no search's": ({"train": {"portable": False}}, "train: unknown key 'portable'"),
}


@pytest.mark.parametrize("fault", BAD)
def test_a_faulty_search_is_one_clear_line(project, monkeypatch, fault):
    changes, said = BAD[fault]
    write(project, **changes)
    monkeypatch.chdir(project)
    with pytest.raises(LadderError) as raised:
        read_search(Path("search.yaml"))
    assert said in str(raised.value)


def test_a_missing_search_is_one_clear_line(project):
    assert_one_clear_line(run_module("commands.search", project, "none.yaml"), "search: none.yaml: no such file")
