"""The compiler that comes as the package ziglang: for the kernels that train, exported headers, the page."""

import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from ladder.exceptions import LadderError

COMMAND = (sys.executable, "-m", "ziglang", "cc")


def run_compiler(arguments: Sequence[str], cache: Path) -> subprocess.CompletedProcess[str]:
    """Run the compiler with `arguments`: flags, sources and `-o` with the file to write. It may fail.

    cache: a folder, in which the compiler's own files are kept.
    """
    caches = {name: str(cache / "zig") for name in ("ZIG_GLOBAL_CACHE_DIR", "ZIG_LOCAL_CACHE_DIR")}
    return subprocess.run([*COMMAND, *arguments], env=os.environ | caches, capture_output=True, text=True, check=False)


def compile_c(what: str, arguments: Sequence[str], cache: Path) -> None:
    """Run the compiler as `run_compiler` does. Raises LadderError, which begins with `what`, where it fails."""
    done = run_compiler(arguments, cache)
    if done.returncode:
        raise LadderError(f"{what}: cannot be compiled: {first_error(done.stderr)}")


def first_error(said: str) -> str:
    """Return the line of what a compiler said that tells most."""
    lines = said.splitlines() or ["the compiler says nothing"]
    return next((line for line in lines if "error" in line), lines[0])
