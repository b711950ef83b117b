"""The machine a run computes on: how many processes train side by side. Imports no torch."""

import os
from pathlib import Path
from typing import Any

from ladder.exceptions import LadderError

WORKERS_PER_CORE, MOST_WORKERS = 4, 256  # more only wait for each other; each takes 0.7 GB


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


def free_memory() -> int | None:
    """Return how many bytes of memory new processes can have, or None where the system does not tell (macOS)."""
    try:
        lines = Path("/proc/meminfo").read_text().splitlines()
        return next(1024 * int(line.split()[1]) for line in lines if line.startswith("MemAvailable:"))
    except (OSError, StopIteration, ValueError):
        return None


def _cores():
    affinity = getattr(os, "sched_getaffinity", None)  # not on macOS
    return len(affinity(0)) if affinity else os.cpu_count()
