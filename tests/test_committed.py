"""What is committed fits together: cards, numbers of seeds, results, and DVC's locks."""

import hashlib
import json

import pytest
import yaml
from projects import REPOSITORY

from ladder import cards, machine
from ladder.cards import shapes
from ladder.files import read_yaml


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


def test_work_ranks_the_rungs_as_a_stopwatch_does():
    """Seconds an epoch on one core of an AMD EPYC, two processes side by side."""
    seconds = {"lenet5": 5, "s7_final": 9, "net9": 15, "net1": 34, "lenet5_fc4": 102, "s7_basic": 212}
    found = {rung: shapes.work(cards.resolve(rung)) / cards.resolve(rung).epochs for rung in seconds}
    rate = found["net9"] / seconds["net9"]
    for rung, of_rung in seconds.items():
        assert 1 / 1.7 < found[rung] / rate / of_rung < 1.7
