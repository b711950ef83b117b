"""Runs shared through a DVC remote: another clone trains nothing. The real stages, on two thousand digits."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from projects import REPOSITORY, contents, make_project

DVC = [sys.executable, "-m", "dvc"]


def call(folder, *command):
    """Run a command in `folder`; return what it printed. It must succeed."""
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    variables = os.environ | {"PYTHONPATH": str(REPOSITORY), "PATH": path, "DVC_NO_ANALYTICS": "1"}
    done = subprocess.run(command, cwd=folder, env=variables, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


def make_repository(folder, digits):
    """Lay out a repository with this project's dvc.yaml; its few digits are there without download and preprocess."""
    make_project(folder, digits, data="mnist", seeds=1, train={"epochs": 1})
    shutil.copy(REPOSITORY / "dvc.yaml", folder)
    for name in ("ladder", "stages"):
        shutil.copytree(REPOSITORY / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(REPOSITORY / "requirements.txt", folder)
    (folder / ".gitignore").write_text("/.runs/\n/reports/timing.json\n__pycache__/\n")
    call(folder, "git", "init", "-q", "-b", "main")
    call(folder, "git", "config", "user.email", "a@example.org")
    call(folder, "git", "config", "user.name", "A")
    call(folder, *DVC, "init", "-q")
    shutil.copytree(REPOSITORY / ".dvc/plots", folder / ".dvc/plots", dirs_exist_ok=True)


@pytest.mark.slow
def test_a_second_clone_pulls_the_run_cache_and_trains_nothing(digits, tmp_path):
    ours, theirs, remote = tmp_path / "ours", tmp_path / "theirs", tmp_path / "remote"
    make_repository(ours, digits)
    call(ours, *DVC, "remote", "add", "--default", "shared", str(remote))
    assert "Running stage 'train'" in call(ours, *DVC, "repro")
    call(ours, "git", "add", "--all")
    call(ours, "git", "commit", "-qm", "results")
    call(ours, *DVC, "push", "--run-cache")

    call(tmp_path, "git", "clone", "-q", str(ours), str(theirs))
    call(theirs, *DVC, "pull", "--run-cache")
    said = call(theirs, *DVC, "repro")
    assert "Running stage" not in said
    assert not (theirs / ".runs").exists()
    assert contents(theirs / "data/models") == contents(ours / "data/models")
    assert call(theirs, "git", "status", "--short") == ""


def edit(path, old, new):
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))


def move_to_the_end(path, start, end):
    """Move what stands from `start` up to `end`."""
    text = path.read_text()
    start, end = text.index(start), text.index(end)
    path.write_text(f"{text[:start]}{text[end:]}\n\n{text[start:end]}")


@pytest.mark.slow
def test_code_is_trained_again_only_where_the_bits_change(digits, tmp_path):
    make_repository(tmp_path, digits)
    run, network = tmp_path / "ladder/training/run.py", tmp_path / "ladder/lanes/network.py"
    kernel = tmp_path / "ladder/lanes/kernels/optimizers.c"
    call(tmp_path, *DVC, "repro", "train")

    edit(run, "_copied", "_copies_of")
    edit(network, "_run_plain", "_run_as_it_is")
    move_to_the_end(network, "def _is_known_conv(", "def _conv_fields(")
    said = call(tmp_path, *DVC, "repro", "train")
    assert "Running stage 'plan'" in said
    assert "Running stage 'train'" not in said

    edit(kernel, "back = splat(-rate)", "back = splat(-1.0001 * rate)")
    assert "Running stage 'train'" in call(tmp_path, *DVC, "repro", "train")
