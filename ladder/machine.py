"""The machine a run computes on: how many processes train side by side. Imports no torch."""

import os

from ladder.exceptions import LadderError


def side_by_side(recipe, runs):
    """Return how many processes share `runs` runs of a Recipe: no more than workers, and one on a GPU."""
    return min(workers(), runs) if recipe.device == "cpu" else 1


def workers():
    """Return how many runs to train side by side: DIGIT_LADDER_WORKERS, or one a core."""
    text = os.environ.get("DIGIT_LADDER_WORKERS", "")
    if not text:
        affinity = getattr(os, "sched_getaffinity", None)  # not on macOS
        return len(affinity(0)) if affinity else os.cpu_count()
    if not text.isascii() or not text.isdigit() or int(text) < 1:
        raise LadderError(f"DIGIT_LADDER_WORKERS is {text!r}; it must be a whole number, 1 or more")
    return int(text)
