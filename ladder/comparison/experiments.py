"""DVC's experiments beside the commits that they began from: what each set, what it reached, whether that is better."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from itertools import groupby
from statistics import fmean

from ladder.comparison import git
from ladder.comparison.differences import compare
from ladder.comparison.parsing import yaml_mapping
from ladder.comparison.reports import Report, read_report
from ladder.comparison.snapshots import FOLDER, PARAMS, find
from ladder.evaluation.metrics import PRIMARY
from ladder.exceptions import LadderError

SHORT = 7  # letters of a commit


@dataclass(frozen=True)
class Result:
    """What a commit or an experiment reached. `fault` says why that cannot be read, or not be held against another."""

    name: str
    params: str = ""  # the text of params.yaml
    report: Report | None = None
    settings: tuple[str, ...] = ()  # what an experiment set: 'train.epochs=3'
    comparison: Mapping | None = None  # of an experiment with its commit: ladder.comparison.differences.compare
    fault: str | None = None

    @property
    def accuracies(self) -> list[float]:
        """Percent, one a seed; none where there is no report."""
        return self.report.by_seed[PRIMARY.key] if self.report else []


def results() -> Iterator[tuple[Result, list[Result]]]:
    """Yield each commit that experiments began from, the newest first, and its experiments, the most accurate first.

    Raises LadderError where Git has no answer.
    """
    found = sorted((_baseline(reference), reference, commit) for commit, reference in git.references(git.EXPERIMENTS))
    runs = {base: list(group) for base, group in groupby(found, key=lambda run: run[0])}
    for commit in git.newest_first(runs):
        base = _read(commit, commit[:SHORT])
        of_base = [_against(base, _read(run, reference.rsplit("/", 1)[-1])) for _, reference, run in runs[commit]]
        yield base, sorted(of_base, key=lambda run: -fmean(run.accuracies or [0]))


def _baseline(reference):
    """Return the commit in refs/exps/<its first two digits>/<the others>/<name>."""
    return "".join(reference.split("/")[2:4])


def _read(commit, name):
    try:
        snapshot = find(commit)
        return Result(name, snapshot.files.get(PARAMS, ""), read_report(snapshot, FOLDER, name))
    except LadderError as error:
        return Result(name, fault=str(error).removeprefix(f"{commit}: "))


def _against(base, run):
    """Return an experiment's Result with what it set, and the comparison with the commit that it began from."""
    if not (base.report and run.report):
        return run
    run = replace(run, settings=tuple(changed_settings(base.params, run.params)))
    try:
        return replace(run, comparison=compare(base.report, run.report))
    except LadderError as error:
        return replace(run, fault=str(error))


def changed_settings(before: str, after: str) -> list[str]:
    """Return what differs between two texts of params.yaml, each as 'train.epochs=3'; nothing behind = is empty.

    A text that is not YAML has no settings.
    """
    old, new = (_flat(_mapping(text)) for text in (before, after))
    return [f"{key}={'' if value is None else value}" for key, value in new.items() if value != old.get(key)]


def _mapping(text):
    try:
        return yaml_mapping(text)
    except ValueError:
        return {}


def _flat(settings, prefix=""):
    flat = {}
    for key, value in settings.items():
        flat |= _flat(value, f"{prefix}{key}.") if isinstance(value, dict) else {f"{prefix}{key}": value}
    return flat
