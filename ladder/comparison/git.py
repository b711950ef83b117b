"""Git's own commands: a revision's commit, its files, its names. Nothing is checked out."""

import io
import os
import re
import subprocess
from collections.abc import Iterable, Iterator

from ladder.exceptions import LadderError

EXPERIMENTS = "refs/exps/*/*/*"  # DVC's: refs/exps/<baseline in two parts>/<name>
STASHES = ("refs/exps/celery/stash", "refs/exps/stash")  # where DVC keeps experiments that wait in its queue


def commit_of(revision: str) -> str | None:
    """Return the commit of a revision, or None where Git knows no such revision. Raises LadderError."""
    given = ("--verify", "--end-of-options", f"{revision}^{{commit}}")
    done = _run("rev-parse", "--quiet", *given)
    if done.returncode == 0:
        found = done.stdout.decode().strip()
        return found if re.fullmatch(r"[0-9a-f]{40,64}", found) else None  # `^HEAD` is answered by `^1f3c…`
    if done.returncode == 1:
        return None
    # an entry that a reflog lacks is a fault without a text, unless Git is asked again without --quiet
    fault = _fault(done.stderr) or _fault(_run("rev-parse", *given).stderr)
    raise LadderError(f"{revision}: {fault}" if "repository" not in fault else fault)


def sizes(commit: str, *folders: str) -> dict[str, tuple[str, int]]:
    """Return {path: (its blob, its size in bytes)} of the plain files of a commit in folders or at paths."""
    listed = git("ls-tree", "-r", "-l", "-z", "--full-tree", commit, "--", *folders).decode(errors="replace")
    found = {}
    for entry in listed.split("\0")[:-1]:
        facts, path = entry.split("\t", 1)
        mode, _, blob, size = facts.split()
        if mode.startswith("100"):  # else a link or a submodule
            found[path] = (blob, int(size))
    return found


def contents(blobs: Iterable[str]) -> Iterator[bytes]:
    """Return the contents of blobs, in their order."""
    blobs = list(blobs)
    answer = io.BytesIO(git("cat-file", "--batch", given="".join(f"{blob}\n" for blob in blobs).encode()))
    for _ in blobs:
        size = int(answer.readline().split()[2])
        yield answer.read(size + 1)[:-1]


def references(*patterns: str) -> list[tuple[str, str]]:
    """Return (commit, name such as refs/heads/main) of the references that match."""
    lines = git("for-each-ref", "--format=%(objectname) %(refname)", *patterns).decode(errors="replace").splitlines()
    return [tuple(line.split(" ", 1)) for line in lines]


def newest_first(commits: Iterable[str]) -> list[str]:
    """Return commits by the time of each, the newest first. Raises LadderError where one is missing."""
    commits = list(commits)
    return git("rev-list", "--no-walk=sorted", *commits).decode().split() if commits else []


def stashed_messages() -> list[str]:
    """Return the messages of DVC's stashes: 'dvc-exp:<revision>:<baseline>:<name>' for each experiment that waits."""
    messages = []
    for stash in STASHES:
        done = _run("log", "--walk-reflogs", "--format=%gs", stash, "--")
        messages += done.stdout.decode(errors="replace").splitlines() if done.returncode == 0 else []
    return messages


def git(*arguments: str, given: bytes | None = None) -> bytes:
    """Return what a Git command writes. Raises LadderError with Git's reason in one line."""
    done = _run(*arguments, given=given)
    if done.returncode:
        raise LadderError(_fault(done.stderr) or f"git {arguments[0]} failed")
    return done.stdout


def _run(*arguments, given=None):
    environment = os.environ | {"LC_ALL": "C"}  # Git's messages in English, which `_fault` knows
    try:
        return subprocess.run(["git", *arguments], input=given, capture_output=True, env=environment)
    except FileNotFoundError:
        raise LadderError("git is needed to read a revision; install it") from None


def _fault(stderr):
    """Return Git's message in one line, its advice included."""
    text = " ".join(stderr.decode(errors="replace").split()).removeprefix("fatal: ")
    text = text.replace(" To add an exception", "; to add an exception")  # another user owns the folder
    if text.startswith("not a git repository"):
        return f"{text}; start in the top folder of a clone"
    return text
