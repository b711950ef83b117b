"""The kernels are compiled once and kept; whatever happens meanwhile, a run gets a whole library or one clear line."""

import hashlib
import os
import subprocess
import sys

import pytest

from ladder.exceptions import LadderError
from ladder.lanes import build

pytestmark = pytest.mark.slow

SOURCE = '__attribute__((visibility("default"))) int answer(void) { return 42; }\n'
# A process of its own compiles the source in the folder argv[1] into the cache that the environment names.
LOAD = "import sys; from pathlib import Path; from ladder.lanes import build; build.KERNELS = Path(sys.argv[1]); "
LOAD += "lib = build.library(); assert lib.answer() == 42; print(lib._name)"


@pytest.fixture(scope="module")
def kernels(tmp_path_factory):
    """Return a folder with one small source, compiled in a moment."""
    folder = tmp_path_factory.mktemp("kernels")
    (folder / "answer.c").write_text(SOURCE)
    return folder


@pytest.fixture(autouse=True)
def small(monkeypatch, kernels):
    """Let the kernels be that source alone."""
    monkeypatch.setattr(build, "KERNELS", kernels)
    build._key.cache_clear()
    yield
    build._key.cache_clear()


@pytest.fixture
def kept(tmp_path):
    """Return the path of a library that is compiled and kept."""
    return build.build(build.NATIVE, cache=tmp_path)


def loads(path):
    return build.load(path).answer() == 42


def no_compiler(*args):
    raise AssertionError("nothing is to be compiled here")


def test_a_kept_library_is_used(kept, monkeypatch):
    monkeypatch.setattr(build, "_compile", no_compiler)
    assert build.build(build.NATIVE, cache=kept.parent) == kept
    assert loads(kept)


def test_a_users_own_folder_keeps_its_files(tmp_path):
    for name in (".gitignore", "lock"):
        (tmp_path / name).write_text("mine")
    build.build(build.NATIVE, cache=tmp_path)
    assert [(tmp_path / name).read_text() for name in (".gitignore", "lock")] == ["mine"] * 2


def test_sources_flags_and_processor_decide_the_name(kept, kernels, tmp_path, monkeypatch):
    names = {kept.stem, build._key(build.NATIVE, ("-O1",)), build._key("x86_64", ())}
    build._key.cache_clear()
    with monkeypatch.context() as patch:
        patch.setattr(build, "_processor", lambda: "another")
        names.add(build._key(build.NATIVE, ()))
    build._key.cache_clear()
    (tmp_path / "answer.c").write_text(SOURCE + "\n")
    with monkeypatch.context() as patch:
        patch.setattr(build, "KERNELS", tmp_path)
        names.add(build._key(build.NATIVE, ()))
    build._key.cache_clear()
    assert len(names) == 5
    assert build._key(build.NATIVE, ()) == kept.stem


@pytest.mark.parametrize("damage", [b"", b"not a library", None])
def test_a_damaged_library_is_made_again(kept, damage):
    kept.write_bytes(kept.read_bytes()[:-1] + b"x" if damage is None else damage)
    assert build.build(build.NATIVE, cache=kept.parent) == kept
    assert hashlib.sha256(kept.read_bytes()).hexdigest() == kept.with_suffix(".sha256").read_text()
    assert loads(kept)


def test_two_processes_at_once(kernels, tmp_path):
    command, environment = (
        [sys.executable, "-c", LOAD, str(kernels)],
        os.environ | {"DIGIT_LADDER_LANES": str(tmp_path)},
    )
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    both = [subprocess.Popen(command, env=environment, **pipes) for _ in range(2)]
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
            build.build(build.NATIVE, cache=tmp_path)
    assert not list(tmp_path.glob("*.so"))
    assert loads(build.build(build.NATIVE, cache=tmp_path))


def test_a_folder_that_cannot_be_written_to(tmp_path):
    file = tmp_path / "file"
    file.write_text("")  # nothing can be made below a file, whoever asks
    path = build.build(build.NATIVE, cache=file / "lanes")
    assert loads(path)
    assert tmp_path not in path.parents


def test_no_folder_at_all(tmp_path, monkeypatch):
    file = tmp_path / "file"
    file.write_text("")
    monkeypatch.setattr(build.tempfile, "tempdir", str(file))
    with pytest.raises(LadderError, match="DIGIT_LADDER_LANES") as told:
        build.build(build.NATIVE, cache=file / "lanes")
    assert "\n" not in str(told.value)


@pytest.mark.parametrize("python", ["/nowhere/python", sys.executable])
def test_no_compiler(tmp_path, monkeypatch, python):
    monkeypatch.setattr(build.compiler, "COMMAND", [python, "-m", "no_such_compiler"])
    with pytest.raises(LadderError, match="pip install ziglang") as told:
        build.build(build.NATIVE, cache=tmp_path)
    assert "\n" not in str(told.value)


@pytest.mark.parametrize(("said", "error"), [("error: NoSpaceLeft", OSError), ("x.c:1: error: no", LadderError)])
def test_a_compiler_that_fails(said, error):
    assert isinstance(build._failure(f"first\n{said}\n", build.CACHE), error)


def test_the_cache_is_where_it_is_said_to_be_and_git_ignores_it(kernels, tmp_path):
    environment = os.environ | {"DIGIT_LADDER_LANES": str(tmp_path / "here"), "HOME": "/nowhere"}
    command = [sys.executable, "-c", LOAD, str(kernels)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.stdout.startswith(str(tmp_path / "here")), done.stderr
    assert (tmp_path / "here" / ".gitignore").read_text() == "*\n"


def test_the_library_needs_nothing_of_libc(monkeypatch):
    monkeypatch.undo()
    build._key.cache_clear()
    path = build.library()._name
    undefined = subprocess.run(["nm", "-D", "--undefined-only", path], capture_output=True, text=True, check=False)
    if undefined.returncode:
        pytest.skip("no nm here")
    assert not undefined.stdout.split()
