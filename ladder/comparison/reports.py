"""Reports as they are in Git: those of the workspace, a rung, a revision or an experiment.

Read through Git's own commands: nothing is checked out, and neither data nor a remote is needed.
"""

import csv
import functools
import hashlib
import io
import json
import subprocess
from collections import Counter
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import numpy as np
import yaml

from ladder.cards import nearest, rung_names
from ladder.exceptions import LadderError
from ladder.files import parse_yaml

FOLDER, PARAMS, DATA = "reports", "params.yaml", "reports/data.json"
WORKSPACE = "workspace"
RESULTS = ("metrics.json", "curves.csv", "errors.csv")
NAMES = (*RESULTS, "recipe.yaml", "history.csv", "data.json", PARAMS)
LOCK, LADDERS_LOCK = "dvc.lock", "rungs/dvc.lock"


class NotMeasuredError(LadderError):
    """Parameters or a recipe are new, but the results beside them are still those of others."""


@dataclass(frozen=True)
class Tree:
    """The report files of one place, {path: text}; a `folder` of them is what was asked for."""

    name: str  # as its user calls it
    files: dict
    folder: str = FOLDER
    committed: bool = False

    def text(self, path):
        if path not in self.files:
            mend = "commit reports/ there, as `dvc repro` leaves it" if self.committed else _mend(path)
            raise LadderError(f"{self.name}: there is no {path}; {mend}")
        return self.files[path]

    def rungs(self):
        """Return the names of the ladder's rungs that have reports here."""
        paths = [PurePosixPath(path) for path in self.files]
        return {path.parent.name for path in paths if path.match(f"{FOLDER}/rungs/*/metrics.json")}

    def of_folder(self, folder):
        """Return {name of file: text} for one folder's reports, and for the pipeline's own its parameters."""
        files = {name: self.files.get(f"{folder}/{name}") for name in NAMES}
        return files | {PARAMS: self.files.get(PARAMS)} if folder == FOLDER else files


@dataclass(frozen=True)
class Report:
    """One set of runs: a recipe, its metrics, and what each seed reached after its last epoch."""

    name: str
    metrics: dict
    by_seed: dict  # {metric: one value a seed}
    misread: np.ndarray  # bool [seeds, images]
    labels: dict  # {misread image: label}
    predictions: dict  # {misread image: Counter of what it was read as}
    lines: dict  # {file: its lines}, for what can be set


def find(name):
    """Return the Tree that a name stands for: the workspace, a rung of its ladder, a revision, an experiment.

    In that order; `heads/net8` is a branch that is called like a rung. Raises LadderError.
    """
    if name == WORKSPACE:
        return _workspace(name)
    if Path(FOLDER, "rungs", name, "metrics.json").is_file():
        return _workspace(name, f"{FOLDER}/rungs/{name}")
    commit = _commit(name) or _experiment(name)
    if commit:
        return Tree(name, _committed(commit), committed=True)
    if name in rung_names():
        raise LadderError(f"rung {name} has no reports yet; they go to {FOLDER}/rungs/{name}/")
    raise LadderError(
        f"there is no revision, experiment or rung {name!r}; {nearest(name, _known())}; is it still to be fetched?"
    )


def read_report(tree, folder, name=None):
    """Return the Report in a folder of a Tree, called `name` or by tree and rung. Raises LadderError for bad files."""
    texts = {file: tree.text(f"{folder}/{file}") for file in (*RESULTS, "recipe.yaml")}
    _check_up_to_date(tree, folder, texts["recipe.yaml"])
    lines = {"recipe.yaml": texts["recipe.yaml"].splitlines()}
    if folder == FOLDER:
        lines[PARAMS] = tree.files.get(PARAMS, "").splitlines()
    try:
        rung = yaml.safe_load(texts["recipe.yaml"])["rung"]
        images = json.loads(tree.text(DATA))["test_images"]
        found = _results(texts, tree.files.get(f"{folder}/history.csv"), images)
    except (KeyError, TypeError, ValueError, IndexError, AttributeError, yaml.YAMLError) as error:
        fault = " ".join(str(error).split())
        raise LadderError(f"{tree.name}: {folder}/ is not as `evaluate` writes it ({fault}); {_mend(folder)}") from None
    return Report(name or f"{tree.name} ({rung})", *found, lines)


def _check_up_to_date(tree, folder, recipe):
    """Raise NotMeasuredError where DVC's lock file says that the results in a folder are of another recipe.yaml.

    So they are between a new plan and the end of its training. The pipeline's own may also be of other parameters,
    while params.yaml is changed and nothing was run. Without a lock file nothing is known, and nothing said.
    """
    rung = PurePosixPath(folder).name
    lock, stage = (LOCK, "evaluate") if folder == FOLDER else (LADDERS_LOCK, f"climb@{rung}")
    try:
        stages = _locked(tree.files.get(lock, ""))["stages"]
        used = next(dep["md5"] for dep in stages[stage]["deps"] if dep["path"] == f"{folder}/recipe.yaml")
    except (KeyError, TypeError, StopIteration, yaml.YAMLError):
        return
    other = "another recipe.yaml" if used != hashlib.md5(recipe.encode(), usedforsecurity=False).hexdigest() else None
    if folder == FOLDER and (changed := _changed_parameters(tree)):
        other = f"other values of {', '.join(changed)} than {PARAMS} has"
    if other:
        mend = f"commit {PARAMS}, reports/ and the lock files together" if tree.committed else _mend(folder)
        raise NotMeasuredError(f"{tree.name}: {folder}/metrics.json is of {other}, {lock} says; {mend}")


def _changed_parameters(tree):
    """Return the keys of params.yaml whose values are not those that the pipeline's stages ran with last."""
    if PARAMS not in tree.files:
        return []
    # not by `_locked`, whose quick reader takes 1e-05, as DVC writes it, for text
    now, locked = (parse_yaml(tree.files[file], f"{tree.name}: {file}") for file in (PARAMS, LOCK))
    now, used = now if isinstance(now, dict) else {}, {}
    for stage in ("plan", "evaluate"):  # where a new plan is still to be trained, `evaluate` has the older ones
        used |= locked["stages"].get(stage, {}).get("params", {}).get(PARAMS, {})
    return [key for key, value in used.items() if now.get(key) != value]


@functools.lru_cache(maxsize=4)
def _locked(text):
    """Return the content of a lock file; read by the parser in C, as that of the ladder is long."""
    return yaml.load(text, getattr(yaml, "CSafeLoader", yaml.SafeLoader))


def _mend(path):
    return f"run `dvc repro{' rungs/dvc.yaml' if path.startswith(f'{FOLDER}/rungs/') else ''}`"


def _results(texts, history, images):
    """Return a Report's metrics, by_seed, misread, labels and predictions. Raises ValueError where files disagree."""
    metrics = {key: value for key, value in json.loads(texts["metrics.json"]).items() if not isinstance(value, str)}
    curves, errors = _rows(texts["curves.csv"]), _rows(texts["errors.csv"])
    by_seed, misread = _by_seed(curves), _misread(errors, curves, images)
    if not np.allclose(by_seed["accuracy"], 100 - 100 * misread.mean(axis=1), atol=1e-3):
        raise ValueError("errors.csv and curves.csv are of different runs")
    by_seed["errors"] = misread.sum(axis=1).tolist()
    if history:
        by_seed["train_accuracy_running"] = _last(_rows(history), "train_accuracy")
    labels, predictions = {}, {}
    for row in errors:
        labels[int(row["index"])] = int(row["label"])
        predictions.setdefault(int(row["index"]), Counter())[int(row["prediction"])] += 1
    return metrics, by_seed, misread, labels, predictions


def _rows(text):
    return list(csv.DictReader(io.StringIO(text)))


def _by_seed(curves):
    best = {}
    for row in curves:
        best[row["seed"]] = max(best.get(row["seed"], 0.0), float(row["accuracy"]))
    return {
        "accuracy": _last(curves, "accuracy"),
        "loss": _last(curves, "loss"),
        "best_epoch_accuracy": list(best.values()),
    }


def _last(rows, column):
    """Return one value a seed, that of the last epoch."""
    end = max(int(row["epoch"]) for row in rows)
    found = [float(row[column]) for row in rows if int(row["epoch"]) == end]
    if len(found) != len({row["seed"] for row in rows}):
        raise ValueError("a seed lacks the last epoch")
    return found


def _misread(errors, curves, images):
    """Return bool [seeds, images]. The seeds are those of the curves: one without an error has no row in errors."""
    seeds = {seed: row for row, seed in enumerate(dict.fromkeys(row["seed"] for row in curves))}
    misread = np.zeros((len(seeds), images), dtype=bool)
    for row in errors:
        misread[seeds[row["seed"]], int(row["index"])] = True
    return misread


def _workspace(name, folder=FOLDER):
    reports = (path for path in Path(FOLDER).rglob("*") if path.name in NAMES)
    kept = [path for path in (Path(PARAMS), Path(LOCK), Path(LADDERS_LOCK), *reports) if path.is_file()]
    return Tree(name, {path.as_posix(): path.read_text(encoding="utf-8", errors="replace") for path in kept}, folder)


def _committed(commit):
    """Return {path: text} of a commit's reports."""
    single = (PARAMS, LOCK, LADDERS_LOCK)
    listed = _git("ls-tree", "-r", "-z", "--name-only", commit, "--", FOLDER, *single).decode().split("\0")
    paths = [path for path in listed if path in single or PurePosixPath(path).name in NAMES]
    answer = io.BytesIO(_git("cat-file", "--batch", given="".join(f"{commit}:{path}\n" for path in paths).encode()))
    files = {}
    for path in paths:
        size = int(answer.readline().split()[2])
        files[path] = answer.read(size + 1)[:-1].decode(errors="replace").replace("\r\n", "\n")
    return files


def _commit(name):
    """Return the commit of a revision, or None."""
    try:
        return _git("rev-parse", "--verify", "--quiet", "--end-of-options", f"{name}^{{commit}}").decode().strip()
    except subprocess.CalledProcessError:
        return None


def _experiment(name):
    """Return the commit of a DVC experiment, or None. DVC keeps it as refs/exps/<baseline in two parts>/<name>."""
    found = {commit for commit, ref in _refs("refs/exps/*/*/*") if ref.rsplit("/", 1)[-1] == name}
    if len(found) > 1:
        raise LadderError(f"there are {len(found)} experiments {name!r}; give the commit that `dvc exp list -A` shows")
    return found.pop() if found else None


def _known():
    refs = [ref for _, ref in _refs("refs/heads", "refs/tags", "refs/remotes", "refs/exps/*/*/*")]
    return [WORKSPACE, *rung_names(), *(ref.split("/", 2)[2] for ref in refs), *(r.split("/")[-1] for r in refs)]


def _refs(*patterns):
    lines = _git("for-each-ref", "--format=%(objectname) %(refname)", *patterns).decode().splitlines()
    return [line.split(" ", 1) for line in lines]


def _git(*arguments, given=None):
    try:
        done = subprocess.run(["git", *arguments], input=given, capture_output=True)
    except FileNotFoundError:
        raise LadderError("git is needed to read a revision; install it") from None
    if done.returncode > 1:
        fault = done.stderr.decode().strip().splitlines() or [f"git {arguments[0]} failed"]
        raise LadderError(f"{fault[-1].removeprefix('fatal: ')}; start in the top folder of a clone")
    done.check_returncode()
    return done.stdout
