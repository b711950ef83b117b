"""Compile the kernels for the processor they run on, once, and load them.

The library is kept in a folder (`.lanes/` at the top of the repository, or DIGIT_LADDER_LANES) under the hash of all
that decides its bytes: sources, compiler, processor, flags. It is written whole or not at all, and its own hash stands
beside it, so that a kill, a second process or a damaged disk cannot make a run use half a library.
"""

import contextlib
import ctypes
import fcntl
import functools
import hashlib
import importlib.metadata
import os
import platform
import subprocess
import tempfile
from pathlib import Path

from ladder import compiler
from ladder.exceptions import LadderError

KERNELS = Path(__file__).parent / "kernels"
CACHE = Path(__file__).parents[2] / ".lanes"
FLAGS = (
    "-O3",
    "-std=c11",
    "-ffp-contract=off",  # fuse nothing but what is fused by name
    "-fno-math-errno",  # square roots are one instruction
    "-fno-builtin",  # no calls to libc's memset and memcpy,
    "-nostdlib",  # so nothing of libc is needed, and the compiler need not build its runtime
    "-fno-strict-aliasing",
    "-fvisibility=hidden",
    "-shared",
    "-fPIC",
    "-Wall",
    "-Werror",
)
# LLVM keeps to 256 bits on processors with AVX-512 unless it is told otherwise.
NATIVE = "native-prefer_256_bit" if platform.machine().lower() in ("x86_64", "amd64") else "native"


@functools.cache
def library(cpu: str | None = None) -> ctypes.CDLL:
    """Return the loaded kernels, compiled first where no library of these sources is kept yet.

    cpu: a processor by its LLVM name, such as "haswell" (AVX2) or "x86_64" (nothing beyond SSE2); None: this one, or
    what DIGIT_LADDER_LANES_CPU names. Raises LadderError where they cannot be compiled or loaded.
    """
    return load(build(cpu or os.environ.get("DIGIT_LADDER_LANES_CPU") or NATIVE))


def load(path: Path) -> ctypes.CDLL:
    """Return the library at `path`. Raises LadderError where the system refuses it."""
    try:
        return ctypes.CDLL(str(path))
    except OSError as error:
        raise LadderError(
            f"{path}: the compiled kernels do not load ({error}); remove the folder {path.parent}"
        ) from None


def build(cpu: str, extra_flags: tuple[str, ...] = (), cache: Path | None = None) -> Path:
    """Return the path of the library for `cpu`, compiled if no whole one is kept.

    Raises LadderError, one line, where there is no compiler, it fails, or no folder can be written to.
    """
    cache = cache or Path(os.environ.get("DIGIT_LADDER_LANES") or CACHE)
    path = cache / f"{_key(cpu, extra_flags)}.so"
    if _is_whole(path):
        return path
    try:
        with _locked(cache):
            if not _is_whole(path):  # another process may have made it meanwhile
                _compile(path, cpu, extra_flags)
            return path
    except OSError as kept_from:
        return _build_apart(path.name, cpu, extra_flags, cache, kept_from)


def _build_apart(name, cpu, extra_flags, cache, kept_from):
    """Return the path of a library in a folder of this process alone, for a cache that cannot be written to."""
    try:
        folder = tempfile.TemporaryDirectory(prefix="digit-ladder-lanes-")
        _private.append(folder)  # removed when the process ends
        path = Path(folder.name) / name
        _compile(path, cpu, extra_flags)
    except OSError as error:
        raise LadderError(
            f"{cache}: cannot keep the compiled kernels ({kept_from.strerror}), nor elsewhere ({error.strerror}); "
            "set DIGIT_LADDER_LANES to a folder with 50 MB of space"
        ) from None
    return path


_private = []


def _compile(path, cpu, extra_flags):
    """Write the library to `path` and its hash beside it, each whole or not at all. Raises LadderError, OSError."""
    with tempfile.TemporaryDirectory(dir=path.parent, prefix="making-") as folder:
        made = Path(folder) / path.name
        arguments = [*FLAGS, f"-mcpu={cpu}", *extra_flags, *map(str, _sources(".c")), "-o", str(made)]
        try:
            done = compiler.run_compiler(arguments, path.parent)
        except FileNotFoundError:
            raise LadderError(_NO_COMPILER) from None
        if done.returncode:
            raise _failure(done.stderr, path.parent)
        content = made.read_bytes()
        digest = made.with_suffix(".sha256")
        digest.write_text(hashlib.sha256(content).hexdigest())
        digest.replace(path.with_suffix(".sha256"))
        made.replace(path)


_NO_COMPILER = (
    f"there is no compiler for the kernels on {platform.system()} {platform.machine()}: "
    "the package ziglang is missing; `python -m pip install ziglang` installs it"
)


def _failure(said, cache):
    """Return the error for a compiler that failed: OSError where it lacked space or the right to write."""
    for errno, text in ((28, "NoSpaceLeft"), (28, "No space left"), (13, "AccessDenied"), (30, "ReadOnlyFileSystem")):
        if text in said:
            return OSError(errno, os.strerror(errno))
    if "No module named" in said:
        return LadderError(_NO_COMPILER)
    return LadderError(
        f"the compiler of the kernels failed: {compiler.first_error(said)}; remove {cache} and try again"
    )


def _sources(ending):
    return sorted(KERNELS.glob(f"*{ending}"))


@functools.cache
def _key(cpu, extra_flags):
    """Return a hash of all that decides the library's bytes: sources, compiler, processor and flags."""
    digest = hashlib.sha256()
    for path in [*_sources(".c"), *_sources(".h")]:
        digest.update(f"{path.name}\0".encode() + path.read_bytes() + b"\0")
    try:
        version = importlib.metadata.version("ziglang")
    except importlib.metadata.PackageNotFoundError:
        raise LadderError(_NO_COMPILER) from None
    processor = _processor() if cpu.startswith("native") else ""
    digest.update(
        "\0".join([version, platform.system(), platform.machine(), cpu, processor, *FLAGS, *extra_flags]).encode()
    )
    return digest.hexdigest()[:32]


def _processor():
    """Return what tells this processor from others: its name and what it can do."""
    try:
        lines = Path("/proc/cpuinfo").read_text().split("\n\n")[0].splitlines()
    except OSError:
        command = ["sysctl", "-n", "machdep.cpu.brand_string"]  # macOS
        with contextlib.suppress(OSError):
            return subprocess.run(command, capture_output=True, text=True, check=False).stdout or platform.processor()
        return platform.processor()
    telling = ("vendor_id", "cpu family", "model", "flags", "CPU implementer", "CPU part", "Features")
    return "\n".join(line for line in lines if line.split("\t")[0].split(":")[0].strip() in telling)


def _is_whole(path):
    """Return whether the library at `path` has the hash that stands beside it."""
    try:
        return hashlib.sha256(path.read_bytes()).hexdigest() == path.with_suffix(".sha256").read_text()
    except OSError:
        return False


@contextlib.contextmanager
def _locked(folder):
    """Keep other processes from compiling into `folder` meanwhile. The system ends the lock with the process."""
    folder.mkdir(parents=True, exist_ok=True)
    if not (ignored := folder / ".gitignore").exists():  # a folder that a user names may have its own
        ignored.write_text("*\n")
    with open(folder / "lock", "a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
