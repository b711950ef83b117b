"""The compiler of the kernels, for C that is compiled beside them: an exported header, the page's kernels.

The library that trains is compiled by ladder/lanes/build.py, which also keeps it.
"""

import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from ladder.exceptions import LadderError


def compile_c(what: str, arguments: Sequence[str], cache: Path) -> None:
    """Run the compiler with `arguments`: flags, sources and `-o` with the file to write.

    cache: a folder, in which the compiler's own files are kept. Raises LadderError, which begins with `what`, where it
    fails.
    """
    caches = {name: str(cache / "zig") for name in ("ZIG_GLOBAL_CACHE_DIR", "ZIG_LOCAL_CACHE_DIR")}
    command = [sys.executable, "-m", "ziglang", "cc", *arguments]
    done = subprocess.run(command, env=os.environ | caches, capture_output=True, text=True, check=False)
    if done.returncode:
        lines = done.stderr.splitlines() or ["the compiler says nothing"]
        said = next((line for line in lines if "error" in line), lines[0])
        raise LadderError(f"{what}: cannot be compiled: {said}")
