"""What is committed fits together: cards, numbers of seeds, results, and DVC's locks."""

import hashlib
import json
import warnings

import pytest
import yaml
from projects import REPOSITORY

from ladder import cards
from ladder.board import page
from ladder.cards import shapes
from ladder.files import read_yaml


@pytest.fixture
def behind(monkeypatch):
    """The rungs whose reports are of an earlier engine or card. They are told of, and are no fault."""
    monkeypatch.chdir(REPOSITORY)
    late = page.behind(page.read_ladder()[1])
    if late:
        warnings.warn(f"behind, until `make climb`: {', '.join(late)}", stacklevel=1)
    return late


def test_the_committed_rungs_are_those_that_their_cards_and_params_say(behind):
    """Reports in Git against cards and rungs/params.yaml: recipe, number of seeds, number of epochs."""
    seeds = yaml.safe_load((REPOSITORY / "rungs/params.yaml").read_text())["seeds"]
    folders = {path.parent.name: path.parent for path in REPOSITORY.glob("reports/rungs/*/metrics.json")}
    assert set(folders) == set(seeds)
    for rung, folder in folders.items():
        recipe = read_yaml(folder / "recipe.yaml")
        if rung not in behind:
            assert recipe | {"fingerprint": None} == cards.recipe_content(cards.resolve(rung))
        rows = [line.split(",")[:2] for line in (folder / "curves.csv").read_text().splitlines()[1:]]
        epochs = range(1, recipe["epochs"] + 1)
        assert rows == [[str(seed), str(epoch)] for seed in range(seeds[rung]) for epoch in epochs]


def md5_of(path):
    """Return the hash that DVC keeps of a file or a folder in Git."""
    if not path.is_dir():
        return hashlib.md5(path.read_bytes()).hexdigest()
    files = sorted(
        file.relative_to(path).as_posix()
        for file in path.rglob("*")
        if file.is_file() and "__pycache__" not in file.parts
    )
    listed = json.dumps([{"md5": md5_of(path / name), "relpath": name} for name in files])
    return f"{hashlib.md5(listed.encode()).hexdigest()}.dir"


@pytest.mark.parametrize("lock", ["dvc.lock", "rungs/dvc.lock"])
def test_the_committed_results_are_of_the_committed_files(lock, behind):
    """What DVC's lock says of each file in Git is so: a fresh clone has nothing to run but the data.

    But for the rungs that are behind, and for what is made of their runs.
    """
    late = {f"{stage}@{rung}" for stage in ("plan", "climb") for rung in behind} | ({"robustness"} if behind else set())
    kept = [REPOSITORY / name for name in ("data", "reports/timing.json")]
    stages = yaml.safe_load((REPOSITORY / lock).read_text())["stages"]
    said = {
        (stage, part["path"], part["md5"])
        for stage, content in stages.items()
        if stage not in late
        for key in ("deps", "outs")
        for part in content.get(key, [])
        if not any((REPOSITORY / part["path"]).is_relative_to(path) for path in kept)
    }
    for stage, content in stages.items():
        for file, values in ({} if stage in late else content.get("params", {})).items():
            now = read_yaml(REPOSITORY / file)
            assert {key: now[key] for key in values} == values, f"{stage} ran with other values than {file} has"
    found = {path: md5_of(REPOSITORY / path) for _, path, _ in said}
    assert len(found) > 15
    changed = sorted((stage, path) for stage, path, md5 in said if md5 != found[path])
    assert changed == [], "older than these: run `dvc repro && dvc repro rungs/dvc.yaml`, and commit what it writes"


def test_work_ranks_the_rungs_as_a_stopwatch_does():
    """Processor seconds of an epoch on one core of an AMD EPYC, family 25."""
    seconds = {"lenet5": 2.2, "s7_final": 4.1, "net9": 8.6, "net1": 31, "lenet5_fc4": 71, "s7_basic": 192}
    found = {rung: shapes.work(cards.resolve(rung)) / cards.resolve(rung).epochs for rung in seconds}
    rate = found["net9"] / seconds["net9"]
    for rung, of_rung in seconds.items():
        assert 1 / 1.3 < found[rung] / rate / of_rung < 1.3
