"""A name that stands for nothing: what its user may have meant."""

import difflib
import json
import re
from collections.abc import Sequence
from pathlib import Path

from ladder.comparison import git
from ladder.exceptions import LadderError

SHOWN = 5  # names
RUNNING = Path(".dvc/tmp/exps/run")  # DVC's: <experiment>/<experiment>.run for each that it has started
UNFINISHED = 2  # DVC's TaskStatus: 0 pending, 1 preparing, 2 running, then the ends


def unknown(name: str, places: Sequence[str], rungs: Sequence[str]) -> LadderError:
    """Return the exception that says, in one short line, that there is no such revision, experiment or rung."""
    unfinished = unfinished_experiments()
    if name in unfinished:
        return LadderError(f"experiment {name} has no results yet: {unfinished[name]}; see `dvc queue status`")
    names = [*places, *_references(), *rungs, *unfinished]
    short = name if len(name) <= 60 else f"{name[:60]}…"
    return LadderError(f"there is no revision, experiment or rung {short!r}; {_suggestion(name, names)}")


def unfinished_experiments() -> dict[str, str]:
    """Return {name: what is known of it} of DVC's experiments that wait or run, as its stashes and files say.

    One that was killed stays among those that run.
    """
    waiting = {}
    for message in git.stashed_messages():
        if named := re.search(r"dvc-exp:[0-9a-f]+:[0-9a-f]+:([^:]+)", message):
            waiting[named[1]] = "it waits in the queue"
    return waiting | dict.fromkeys(_running(), "DVC lists it as running")


def _running():
    for path in RUNNING.glob("*/*.run"):
        try:
            facts = json.loads(path.read_text(encoding="utf-8"))
            if facts["status"] <= UNFINISHED and facts["name"]:
                yield facts["name"]
        except (OSError, ValueError, KeyError, TypeError, RecursionError):
            continue  # DVC is writing it, or has removed it


def _references():
    """Return the names of branches, tags and experiments."""
    branches = [ref.split("/", 2)[2] for _, ref in git.references("refs/heads", "refs/tags", "refs/remotes")]
    experiments = [ref.rsplit("/", 1)[-1] for _, ref in git.references(git.EXPERIMENTS)]
    return [*branches, *experiments]


def _suggestion(name, names):
    """Return 'did you mean ...?', or a few names and how many more there are."""
    names = list(dict.fromkeys(names))
    if close := difflib.get_close_matches(name[:100], names, n=1):
        return f"did you mean {close[0]!r}?"
    more = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
    return f"there are {', '.join(names[:SHOWN])}{more}"
