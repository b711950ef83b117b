"""Report files as they are in one place: the workspace, a rung of its ladder, a revision or an experiment.

Revisions are read through Git: nothing is checked out, and neither data nor a remote is needed.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from ladder import cards
from ladder.comparison import git
from ladder.comparison.names import unknown
from ladder.exceptions import LadderError
from ladder.names import is_name, is_rung
from ladder.paths import REPORTS, facts_folder, rung_folder
from ladder.paths import RUNGS as RUNG_REPORTS

FOLDER, RUNGS, CARDS = (path.as_posix() for path in (REPORTS, RUNG_REPORTS, cards.CARDS))
PARAMS = "params.yaml"
WORKSPACE = "workspace"
RESULTS = ("metrics.json", "curves.csv", "errors.csv")
LOCK, LADDERS_LOCK = "dvc.lock", "rungs/dvc.lock"
SINGLE = (PARAMS, LOCK, LADDERS_LOCK)
KIB, MIB = 2**10, 2**20
LIMITS = {  # bytes; 100 seeds of 1,000 epochs, or of 10,000 misread images, take less
    "metrics.json": 64 * KIB,
    "data.json": 64 * KIB,
    "recipe.yaml": 64 * KIB,
    "params.yaml": 64 * KIB,
    "curves.csv": 16 * MIB,
    "history.csv": 16 * MIB,
    "errors.csv": 64 * MIB,
    "test_images.csv": 64 * MIB,
    "dvc.lock": 16 * MIB,
}
REPORT_FILES = ("metrics.json", "data.json", "recipe.yaml", "curves.csv", "history.csv", "errors.csv")
FACTS = ("data.json", "test_images.csv")  # of a data set


@dataclass(frozen=True)
class Snapshot:
    """The report files of one place. `folder` is the folder of reports that was asked for."""

    name: str  # as its user calls it
    files: Mapping[str, str]  # {path: text}
    folder: str = FOLDER
    committed: bool = False

    def text(self, path: str) -> str:
        """Return the text of a file. Raises LadderError where there is none."""
        if path not in self.files:
            raise LadderError(f"{self.name}: there is no {path}; {self.remedy(path)}")
        return self.files[path]

    def remedy(self, path: str) -> str:
        """Return what its user can do about reports that are missing or make no sense."""
        if self.committed:
            return "commit reports/ there, as `dvc repro` leaves it"
        return f"run `dvc repro{' rungs/dvc.yaml' if path.count('/') > 1 else ''}`"

    def rungs(self) -> set[str]:
        """Return the names of the rungs that have reports here, as `rung_on` gives them.

        Raises LadderError for a bad one.
        """
        names = set()
        for path in map(PurePosixPath, self.files):
            if path.match(f"{FOLDER}/*/*/metrics.json"):
                data, rung = path.parts[1:3]
                if not (is_name(data) and is_name(rung)):
                    strange = rung if is_name(data) else data
                    folder = path.parent.parent if is_name(data) else FOLDER
                    raise LadderError(f"{self.name}: {folder}/ has a folder {strange!r}; no rung can have this name")
                names.add(rung if path.match(f"{RUNGS}/*/*") else f"{data}/{rung}")
        return names

    def facts(self, data: str) -> tuple[str, str | None]:
        """Return the texts of a data set's data.json and, where it is there, test_images.csv."""
        folder = facts_folder(data).as_posix()
        return self.text(f"{folder}/data.json"), self.files.get(f"{folder}/test_images.csv")

    def of_folder(self, folder: str) -> dict[str, str | None]:
        """Return {name of file: text} for one folder's reports; for the pipeline's own, its parameters too."""
        files = {name: self.files.get(f"{folder}/{name}") for name in REPORT_FILES}
        return files | {PARAMS: self.files.get(PARAMS)} if folder == FOLDER else files


def find(name: str) -> Snapshot:
    """Return the Snapshot that a name stands for: the workspace, a rung of its ladder, a revision, an experiment.

    In that order; `heads/net8` is a branch that has the name of a rung. Raises LadderError.
    """
    if name == WORKSPACE:
        return _workspace(name)
    if is_rung(name) and (rung_folder(name) / "metrics.json").is_file():
        return _workspace(name, rung_folder(name).as_posix())
    commit = git.commit_of(name) or _experiment(name)
    if commit:
        return Snapshot(name, _committed(name, commit), committed=True)
    if is_rung(name) and name.rpartition("/")[2] in cards.rung_names():
        raise LadderError(f"rung {name} has no reports yet; they go to {rung_folder(name)}/")
    raise unknown(name, [WORKSPACE], cards.rung_names())


def _experiment(name):
    """Return the commit of a DVC experiment, or None."""
    commits = {commit for commit, ref in git.references(git.EXPERIMENTS) if ref.rsplit("/", 1)[-1] == name}
    if len(commits) > 1:
        raise LadderError(
            f"there are {len(commits)} experiments {name!r}; give the commit that `dvc exp list -A` shows"
        )
    return commits.pop() if commits else None


def _workspace(name, folder=FOLDER):
    patterns = (f"{FOLDER}/*", f"{FOLDER}/*/*", f"{FOLDER}/*/*/*", f"{CARDS}/*.yaml")
    paths = [Path(path) for path in SINGLE] + [path for pattern in patterns for path in Path().glob(pattern)]
    kept = [path for path in paths if _is_kept(path.as_posix()) and path.is_file()]
    for path in kept:
        _check_size(name, path.as_posix(), path.stat().st_size)
    return Snapshot(
        name, {path.as_posix(): path.read_text(encoding="utf-8", errors="replace") for path in kept}, folder
    )


def _committed(name, commit):
    """Return {path: text} of a commit's reports."""
    listed = {path: of for path, of in git.sizes(commit, FOLDER, CARDS, *SINGLE).items() if _is_kept(path)}
    for path, (_, size) in listed.items():
        _check_size(name, path, size)
    texts = (content.decode(errors="replace") for content in git.contents(blob for blob, _ in listed.values()))
    return {path: text.replace("\r\n", "\n") for path, text in zip(listed, texts, strict=True)}


def _is_kept(path):
    """Return whether a file is one that a comparison reads."""
    parent, _, file = path.rpartition("/")
    if path in SINGLE or (parent == CARDS and file.endswith(".yaml")):
        return True
    depth = parent.count("/") if re.match(rf"{FOLDER}(/|$)", parent) else None
    return (depth in (0, 1) and file in FACTS) or (depth in (0, 2) and file in REPORT_FILES)


def _check_size(name, path, size):
    limit = LIMITS.get(path.rsplit("/", 1)[-1], 64 * KIB)
    if size > limit:
        raise LadderError(f"{name}: {path} has {size:,} bytes, more than the {limit:,} that such a file can need")
