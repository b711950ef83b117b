"""Shared by all tests: the real data."""

import os
import shutil

import pytest
from projects import REPOSITORY, make_ladder, run_module


@pytest.fixture(scope="session")
def mnist_folder():
    """Return a folder with the four real MNIST files: fetched once by the real download, ignored by Git."""
    from ladder.data import mnist

    folder = REPOSITORY / ".mnist" / "data" / "raw"
    if not all((folder / file.name).exists() for file in mnist.FILES):
        folder.parent.mkdir(parents=True, exist_ok=True)
        done = run_module("stages.download", folder.parent.parent)
        assert done.returncode == 0, done.stdout + done.stderr
    return folder


@pytest.fixture(scope="session")
def digits(mnist_folder):
    """Return the real training images (uint8 [60000, 1, 28, 28]) and labels (uint8 [60000])."""
    import torch

    from ladder.data import mnist

    def read(file):
        content = mnist.decode((mnist_folder / file.name).read_bytes(), file)
        return torch.frombuffer(bytearray(content), dtype=torch.uint8).view(file.shape)

    return read(mnist.TRAIN_IMAGES).unsqueeze(1), read(mnist.TRAIN_LABELS)


@pytest.fixture(scope="session")
def ladder(digits, tmp_path_factory):
    """Return a project with a ladder of two rungs, planned. Tests that write to it copy it first."""
    return make_ladder(tmp_path_factory.mktemp("ladder"), digits)


@pytest.fixture(scope="session")
def trained(ladder, tmp_path_factory):
    """Return a copy of the ladder whose runs are in its store, and what `train_ladder` said. Tests copy it first."""
    folder = shutil.copytree(ladder, tmp_path_factory.mktemp("trained") / "ladder")
    done = run_module("commands.train_ladder", folder, "quick", "longer", DIGIT_LADDER_WORKERS="2")
    assert done.returncode == 0, done.stderr
    return folder, done.stdout


@pytest.fixture(autouse=True, scope="session")
def no_telemetry():
    os.environ["DVC_NO_ANALYTICS"] = "1"
