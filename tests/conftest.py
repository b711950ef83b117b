"""Shared by all tests: the real data."""

import os
import shutil

import pytest
from filelock import FileLock
from projects import REPOSITORY, make_ladder, run_module


@pytest.fixture(scope="session")
def mnist_folder():
    """Return a folder with the four real MNIST files: fetched once by the real download, ignored by Git."""
    from ladder.data.data_set import IDX_FILES
    from ladder.paths import raw_folder

    top = REPOSITORY / ".mnist"
    folder = top / raw_folder("mnist")
    if not all((folder / name).exists() for name in IDX_FILES):
        shutil.copytree(REPOSITORY / "datasets", top / "datasets", dirs_exist_ok=True)
        done = run_module("stages.download", top, "mnist")
        assert done.returncode == 0, done.stdout + done.stderr
    return folder


@pytest.fixture(scope="session")
def digits(mnist_folder):
    """Return the real training images as a Split; who wrote them is left out."""
    import torch

    from ladder.data import idx
    from ladder.data.data_set import read_data_set
    from ladder.data.splits import Split

    def read(file):
        content = idx.decode((mnist_folder / file.name).read_bytes(), file)
        return torch.frombuffer(bytearray(content), dtype=torch.uint8).view(file.shape)

    files = idx.files_of(read_data_set("mnist", REPOSITORY / "datasets"))
    return Split(read(files.train_images).unsqueeze(1), read(files.train_labels))


def made_once(tmp_path_factory, worker_id, name, make):
    """Return the folder `name` that `make(folder)` fills: once, though several processes run tests side by side."""
    root = tmp_path_factory.getbasetemp()
    root = root if worker_id == "master" else root.parent
    with FileLock(root / f"{name}.lock"):
        if not (root / f"{name}.made").exists():
            make(root / name)
            (root / f"{name}.made").touch()
    return root / name


@pytest.fixture(scope="session")
def ladder(digits, tmp_path_factory, worker_id):
    """Return a project with a ladder of two rungs, planned. Tests that write to it copy it first."""
    return made_once(tmp_path_factory, worker_id, "ladder", lambda folder: make_ladder(folder, digits))


@pytest.fixture(scope="session")
def trained(ladder, tmp_path_factory, worker_id):
    """Return a copy of the ladder whose runs are in its store, and what `train_ladder` said. Tests copy it first."""

    def train(folder):
        shutil.copytree(ladder, folder)
        done = run_module("commands.train_ladder", folder, "quick", "longer", DIGIT_LADDER_WORKERS="2")
        assert done.returncode == 0, done.stderr
        (folder / "said.txt").write_text(done.stdout)

    folder = made_once(tmp_path_factory, worker_id, "trained", train)
    return folder, (folder / "said.txt").read_text()


@pytest.fixture(autouse=True, scope="session")
def one_thread():
    """Keep torch to one thread, as a run does: tests go side by side, and their threads would wait for each other."""
    import torch

    torch.set_num_threads(1)


@pytest.fixture(autouse=True, scope="session")
def no_telemetry():
    os.environ["DVC_NO_ANALYTICS"] = "1"


def pytest_terminal_summary(terminalreporter):
    """Say in one line each what this machine could not test, and why."""
    skipped = terminalreporter.stats.get("skipped", [])
    for reason in sorted({report.longrepr[2].removeprefix("Skipped: ") for report in skipped}):
        terminalreporter.write_line(f"not tested here: {reason}")
