"""The machine a run computes on: instruction set, threads, processes. Imports no torch.

A sum of floats depends on its order, and the libraries below torch choose that order by the processor's
instruction set. Capping the set makes every x86-64 processor with AVX2 choose alike; the libraries read
these variables when torch is imported, so `configure` must come first.
"""

import os
import sys
from typing import Any

from ladder.exceptions import LadderError

PORTABLE = {
    "ATEN_CPU_CAPABILITY": "avx2",  # torch's own kernels
    "ONEDNN_MAX_CPU_ISA": "AVX2",  # convolutions
    "MKL_CBWR": "COMPATIBLE",  # matrix products; MKL's "AVX2" branch differs between Intel and AMD
}
# glibc hands freed memory back to the system at once, and every batch pays for getting it again: 0 to 20 % of the
# time, by chance of the layout. Read at the start of a process, so this is for the workers.
KEEP_MEMORY = {
    "MALLOC_MMAP_MAX_": "0",
    "MALLOC_TRIM_THRESHOLD_": str(2**63 - 1),
}
WORKERS_PER_CORE, MOST_WORKERS = 4, 256  # more only wait for each other; each takes 0.3 GB
CUDA = {"CUBLAS_WORKSPACE_CONFIG": ":4096:8"}  # without it cuBLAS may sum in another order each time


def configure(portable: bool) -> None:
    """Set the environment of this process and its children for portable bits (or for speed).

    Raises LadderError where torch was imported with the other setting: it would not notice any more.
    """
    wanted = PORTABLE if portable else dict.fromkeys(PORTABLE)
    changed = {name for name, value in wanted.items() if os.environ.get(name) != value}
    if changed and "torch" in sys.modules:
        raise LadderError(
            f"torch was imported before {', '.join(sorted(changed))} could be set; "
            "call ladder.machine.configure first, or use a fresh process"
        )
    for name, value in (wanted | KEEP_MEMORY | CUDA).items():
        if value is None:
            os.environ.pop(name, None)
        else:
            os.environ[name] = value


def side_by_side(recipe: Any, runs: int) -> int:
    """Return how many processes share `runs` runs of a Recipe: no more than workers, and one on a GPU."""
    return min(workers(), runs) if recipe.device == "cpu" else 1


def workers() -> int:
    """Return how many processes to run side by side: DIGIT_LADDER_WORKERS, or one a core.

    Raises LadderError where DIGIT_LADDER_WORKERS is no number, or too large for this machine.
    """
    text = os.environ.get("DIGIT_LADDER_WORKERS", "")
    most = min(WORKERS_PER_CORE * _cores(), MOST_WORKERS)
    if not text:
        return min(_cores(), most)
    if not text.isascii() or not text.isdigit() or not text.strip("0"):
        raise LadderError(f"DIGIT_LADDER_WORKERS is {text!r}; it must be a whole number, 1 or more")
    if len(text.lstrip("0")) > 3 or int(text) > most:  # Python refuses to read thousands of digits
        raise LadderError(f"DIGIT_LADDER_WORKERS is {text[:20]}; on this machine, {most} is the most")
    return int(text)


def _cores():
    affinity = getattr(os, "sched_getaffinity", None)  # not on macOS
    return len(affinity(0)) if affinity else os.cpu_count()
