"""A receipt: one seed trained again gives the committed results, or it is said."""

import shutil

import pytest
from projects import run_module

from ladder.comparison.receipt import read, receipt
from ladder.comparison.snapshots import find
from ladder.exceptions import LadderError


@pytest.fixture
def climbed(trained, tmp_path, monkeypatch):
    """Change into a ladder whose rung `quick` is climbed from two seeds, and whose store is empty again."""
    folder = tmp_path / "ladder"
    shutil.copytree(trained[0], folder)
    done = run_module("stages.climb", folder, "quick", "--seeds", "2")
    assert done.returncode == 0, done.stderr
    shutil.rmtree(folder / ".runs")
    monkeypatch.chdir(folder)
    return folder


@pytest.mark.slow
def test_a_seed_comes_out_again_and_one_changed_digit_is_noticed(climbed):
    reported = read(find("workspace"), "quick")
    assert reported.seeds == [0, 1]
    for seed in (0, 1):
        equal, said = receipt(reported, seed)
        assert equal, said
        assert said.startswith(f"receipt: quick, seed {seed}, 2 epochs trained again: ")
        assert said.endswith(", as reported in workspace")
    assert receipt(reported)[0]
    path = climbed / "reports/rungs/quick/errors.csv"
    first, *lines = path.read_text().splitlines()
    changed = next(number for number, line in enumerate(lines) if line.startswith("1,"))
    lines[changed] = lines[changed][:-1] + ("1" if lines[changed][-1] != "1" else "2")
    path.write_text("\n".join([first, *lines]) + "\n")
    reported = read(find("workspace"), "quick")
    assert receipt(reported, 0)[0]
    equal, said = receipt(reported, 1)
    assert not equal
    assert ", but reported in workspace is " in said


@pytest.mark.slow
def test_without_images_it_says_at_once_what_makes_them(climbed):
    path = climbed / "data/sets/mnist/processed/train.safetensors"
    path.unlink()
    with pytest.raises(LadderError, match=rf"^a receipt needs {path.relative_to(climbed)}; `dvc repro .*@mnist` makes"):
        read(find("workspace"), "quick")
