"""The kernels are compiled once and kept; whatever happens meanwhile, a run gets a whole library or one clear line."""

import hashlib
import os
import subprocess
import sys

import pytest

from ladder.errors import LadderError
from ladder.lanes import build

QUICK = ("-O1",)  # told after -O3, so it counts: these tests compile anew again and again
LOAD = "import sys; from pathlib import Path; from ladder.lanes.build import *; "
LOAD += "path = build(NATIVE, ('-O1',), Path(sys.argv[1])); load(path).block_work; print(path)"


@pytest.fixture(scope="module")
def one(tmp_path_factory):
    """Return the path of a library that is compiled and kept in a folder of its own."""
    return build.build(build.NATIVE, QUICK, tmp_path_factory.mktemp("lanes"))


@pytest.fixture
def cache(one, tmp_path):
    """Return a folder with a copy of that library."""
    for path in (one, one.with_suffix(".sha256")):
        (tmp_path / path.name).write_bytes(path.read_bytes())
    return tmp_path


def no_compiler(*args):
    raise AssertionError("nothing is to be compiled here")


def test_a_kept_library_is_used(cache, monkeypatch):
    monkeypatch.setattr(build, "_compile", no_compiler)
    assert build.load(build.build(build.NATIVE, QUICK, cache)).block_work


def test_sources_flags_and_processor_decide_the_name(one, monkeypatch):
    names = {one.stem, build._key(build.NATIVE, ()), build._key("x86_64", QUICK)}
    build._key.cache_clear()
    monkeypatch.setattr(build, "_processor", lambda: "another")
    names.add(build._key(build.NATIVE, QUICK))
    build._key.cache_clear()
    monkeypatch.undo()
    assert len(names) == 4
    assert build._key(build.NATIVE, QUICK) == one.stem


@pytest.mark.parametrize("damage", [b"", b"not a library", None])
def test_a_damaged_library_is_made_again(cache, damage):
    path = cache / f"{build._key(build.NATIVE, QUICK)}.so"
    path.write_bytes(path.read_bytes()[:-1] + b"x" if damage is None else damage)
    assert build.build(build.NATIVE, QUICK, cache) == path
    assert hashlib.sha256(path.read_bytes()).hexdigest() == path.with_suffix(".sha256").read_text()
    assert build.load(path).block_work


def test_two_processes_at_once(tmp_path):
    command = [sys.executable, "-c", LOAD, str(tmp_path)]
    both = [subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) for _ in range(2)]
    said = [process.communicate() for process in both]
    assert [process.returncode for process in both] == [0, 0], said
    assert said[0] == said[1]
    assert len(list(tmp_path.glob("*.so"))) == 1
    assert not list(tmp_path.glob("making-*"))


def test_a_kill_while_compiling_leaves_nothing_that_counts(tmp_path, monkeypatch):
    def killed(*args, **kwargs):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(build.subprocess, "run", killed)
        with pytest.raises(KeyboardInterrupt):
            build.build(build.NATIVE, QUICK, tmp_path)
    assert not list(tmp_path.glob("*.so"))
    assert build.load(build.build(build.NATIVE, QUICK, tmp_path)).block_work


def test_a_folder_that_cannot_be_written_to(tmp_path):
    file = tmp_path / "file"
    file.write_text("")  # nothing can be made below a file, whoever asks
    path = build.build(build.NATIVE, QUICK, file / "lanes")
    assert build.load(path).block_work
    assert tmp_path not in path.parents


def test_no_folder_at_all(tmp_path, monkeypatch):
    file = tmp_path / "file"
    file.write_text("")
    monkeypatch.setattr(build.tempfile, "tempdir", str(file))
    with pytest.raises(LadderError, match="DIGIT_LADDER_LANES") as told:
        build.build(build.NATIVE, QUICK, file / "lanes")
    assert "\n" not in str(told.value)


@pytest.mark.parametrize("missing", ["/nowhere/python", sys.executable])
def test_no_compiler(tmp_path, monkeypatch, missing):
    command = [missing, "-m", "no_such_compiler"]
    monkeypatch.setattr(build, "_compiler", lambda: command)
    with pytest.raises(LadderError, match="pip install ziglang") as told:
        build.build(build.NATIVE, QUICK, tmp_path)
    assert "\n" not in str(told.value)


@pytest.mark.parametrize(("said", "error"), [("error: NoSpaceLeft", OSError), ("x.c:1: error: no", LadderError)])
def test_a_compiler_that_fails(said, error):
    assert isinstance(build._failure(f"first\n{said}\n", build.CACHE), error)


def test_the_library_needs_nothing_of_libc(one):
    names = ("memset", "memcpy", "malloc", "fmaf", "expf", "sqrtf")
    undefined = subprocess.run(["nm", "-D", "--undefined-only", str(one)], capture_output=True, text=True, check=False)
    if undefined.returncode:
        pytest.skip("no nm here")
    assert not [name for name in names if name in undefined.stdout]


def test_the_cache_is_where_it_is_said_to_be(tmp_path):
    command = [sys.executable, "-c", "from ladder.lanes.build import *; print(library()._name)"]
    environment = os.environ | {"DIGIT_LADDER_LANES": str(tmp_path / "here"), "HOME": "/nowhere"}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.stdout.startswith(str(tmp_path / "here")), done.stderr
    assert {path.name for path in (tmp_path / "here").iterdir()} >= {".gitignore", "zig", "lock"}
