"""The five commands of docs/own_data.md, from a folder of pictures to a verdict, in a copy of this repository."""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from statistics import fmean

import pandas as pd
import pytest
import scipy.stats
import shapes
from projects import REPOSITORY

FOLDERS = (".dvc", "commands", "datasets", "ladder", "reports", "rungs", "stages")
FILES = (".dvcignore", ".gitignore", "dvc.lock", "dvc.yaml", "params.yaml", "requirements.txt")
SEEDS, IMAGES = 3, 300
COMMIT = ("git", "-c", "user.name=Ada", "-c", "user.email=ada@example.org", "commit", "--quiet", "--message")


@pytest.fixture
def copy(tmp_path):
    """Return a clone of this repository as it is now, without data and models; beside it lie 300 pictures of shapes."""
    shapes.draw(tmp_path / "shapes", IMAGES)
    clone = tmp_path / "clone"
    for name in FOLDERS:
        left_out = shutil.ignore_patterns("__pycache__", "cache", "tmp", "config.local")
        shutil.copytree(REPOSITORY / name, clone / name, ignore=left_out)
    for name in FILES:
        shutil.copy(REPOSITORY / name, clone / name)
    call(clone, "git", "init", "--quiet")
    call(clone, "git", "add", ".")
    call(clone, *COMMIT, "The clone")
    return clone


def call(folder, *command):
    """Run a command in a folder with that folder's code. Return what it said."""
    programs = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    kernels = os.environ.get("DIGIT_LADDER_LANES", str(REPOSITORY / ".lanes"))  # compiled already
    variables = {
        "PATH": programs,
        "DIGIT_LADDER_LANES": kernels,
        "DIGIT_LADDER_WORKERS": "2",
        "PYTHONPATH": str(folder),
    }
    for role in ("AUTHOR", "COMMITTER"):  # DVC commits each experiment
        variables |= {f"GIT_{role}_NAME": "Ada", f"GIT_{role}_EMAIL": "ada@example.org"}
    done = subprocess.run(command, cwd=folder, env=os.environ | variables, capture_output=True, text=True, timeout=1800)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def accuracies(folder, tested):
    """Return each seed's accuracy in percent, counted from the misread images that reports/ lists."""
    misread = pd.read_csv(folder / "reports/errors.csv")["seed"]
    return [100 - 100 * (misread == seed).sum() / tested for seed in range(SEEDS)]


def settings(**values):
    return [word for name, value in values.items() for word in ("-S", f"{name.replace('__', '.')}={value}")]


@pytest.mark.slow
def test_from_a_folder_of_pictures_to_a_verdict(copy):
    said = call(copy, "python", "-m", "commands.import_images", "../shapes", "--name", "shapes")
    assert said.startswith("import_images: 300 images of 5 classes, 240 to train on and 60 to test with; colour, 28×28")
    call(copy, "git", "add", "datasets", "rungs/data_sets.yaml")
    call(copy, *COMMIT, "Data set shapes")
    first = settings(data="shapes", model="sprint", seeds=SEEDS, train__batch_size=32, train__epochs=1)
    call(copy, "dvc", "exp", "run", "-n", "first", *first)
    before = accuracies(copy, tested=60)
    call(copy, "dvc", "exp", "run", "-n", "longer", *settings(train__epochs=20))
    after = accuracies(copy, tested=60)

    facts = json.loads((copy / "reports/shapes/data.json").read_text())
    assert facts["classes"] == [{"name": name, "train": 48, "test": 12} for name in sorted(shapes.SHAPES)]
    assert (copy / "reports/model.md").read_text().startswith("# shapes/sprint\n\nTrained on shapes. No target is set.")
    text = call(copy, "python", "-m", "commands.compare", "first", "longer")
    low, high = scipy.stats.ttest_ind(after, before, equal_var=False).confidence_interval()
    assert low > 0
    verdict = "**longer (shapes/sprint) is better than first (shapes/sprint)**"
    change = f"{fmean(after) - fmean(before):+.2f} points [{low:.2f}, {high:.2f}], 3 + 3 seeds"
    assert text.startswith(f"{verdict}: {change}")
    read = re.findall(r"^- image \d+: an? (\w+) read as (\w+),", text, re.MULTILINE)
    assert len(read) > 5
    assert {name for pair in read for name in pair} <= set(shapes.SHAPES)
