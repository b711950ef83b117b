"""Are results those of the recipe and the parameters beside them? DVC's lock files say it."""

import functools
import hashlib
from pathlib import PurePosixPath

import yaml

from ladder.comparison.parsing import yaml_mapping
from ladder.comparison.snapshots import FOLDER, LADDERS_LOCK, LOCK, PARAMS, RUNGS, Snapshot
from ladder.exceptions import LadderError


class NotMeasuredError(LadderError):
    """Parameters or a recipe are new, but the results beside them are still those of others."""


def check_up_to_date(snapshot: Snapshot, folder: str, recipe: str) -> None:
    """Raise NotMeasuredError where DVC's lock file says that the results in a folder are of another recipe.yaml.

    This happens between a new plan and the end of training. Results may also be of other parameters: params.yaml was
    changed, and nothing has run since. Without a lock file nothing is known, and nothing said.
    """
    own = folder == FOLDER
    lock, stage = (LOCK, "evaluate") if own else (LADDERS_LOCK, _climb(PurePosixPath(folder)))
    used = _used_recipe(snapshot.files.get(lock, ""), stage, f"{folder}/recipe.yaml")
    if used is None:
        return
    other = "another recipe.yaml" if used != hashlib.md5(recipe.encode(), usedforsecurity=False).hexdigest() else None
    if changed := _changed_parameters(snapshot) if own else []:
        other = f"other values of {', '.join(changed)} than {PARAMS} has"
    if other:
        together = f"commit {PARAMS}, reports/ and the lock files together"
        remedy = together if snapshot.committed else snapshot.remedy(f"{folder}/")
        raise NotMeasuredError(f"{snapshot.name}: {lock} says that {folder}/metrics.json is of {other}; {remedy}")


def _climb(folder):
    """Return the name of the stage that writes a rung's reports into a folder."""
    return f"climb@{folder.name}" if folder.match(f"{RUNGS}/*") else f"climb_elsewhere@{'/'.join(folder.parts[-2:])}"


def _used_recipe(lock, stage, path):
    """Return the MD5 sum of the recipe.yaml that a stage ran with, or None where a lock file does not say it."""
    try:
        dependencies = _locked(lock)["stages"][stage]["deps"]
        return next(dependency["md5"] for dependency in dependencies if dependency["path"] == path)
    except (KeyError, TypeError, StopIteration, RecursionError, yaml.YAMLError):
        return None


def _changed_parameters(snapshot):
    """Return the keys of params.yaml whose values are not those that the pipeline's stages ran with last."""
    if PARAMS not in snapshot.files:
        return []
    # the lock not by `_locked`, whose quick reader takes 1e-05, as DVC writes it, for text
    now, locked, used = _mapping(snapshot, PARAMS), _mapping(snapshot, LOCK), {}
    try:
        for stage in ("plan", "evaluate"):  # where a new plan is still to be trained, `evaluate` has the older ones
            used |= locked["stages"].get(stage, {}).get("params", {}).get(PARAMS, {})
    except (AttributeError, TypeError):
        raise LadderError(f"{snapshot.name}: {LOCK} is not as DVC writes it; restore it from Git") from None
    return [str(key) for key, value in used.items() if now.get(key) != value]


def _mapping(snapshot, file):
    try:
        return yaml_mapping(snapshot.files[file])
    except ValueError as error:
        raise LadderError(f"{snapshot.name}: {file}: {error}") from None


@functools.lru_cache(maxsize=4)
def _locked(text):
    """Return the content of a lock file; read by the parser in C, as that of the ladder is long."""
    return yaml.load(text, getattr(yaml, "CSafeLoader", yaml.SafeLoader))
