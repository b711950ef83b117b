"""Vega and Vega-Lite, the scripts that draw the page's charts: fetched once by npm, and checked."""

import hashlib
import shutil
import subprocess
import tarfile
import tempfile
import zlib
from dataclasses import dataclass
from pathlib import Path

from ladder.data.sources import reason
from ladder.exceptions import LadderError
from ladder.files import write_bytes

SECONDS = 120  # for npm


@dataclass(frozen=True)
class Script:
    """A script in an npm package. sha256: of its licence and itself, whatever the package is packed with."""

    package: str
    path: str
    sha256: str


SCRIPTS = (
    Script("vega@6.2.0", "build/vega.min.js", "aaa91449c26e006e696002986cff5d2634d779c626bfaa3584abc450eb24d86a"),
    Script(
        "vega-lite@6.4.3",
        "build/vega-lite.min.js",
        "5d59cd9ce5ea9a1c55096e0739ebc66f3fa992d3fbfe49d6e58b4bcb73c9d332",
    ),
)


def chart_scripts(cache: Path) -> list[bytes]:
    """Return the scripts in the order to load them, from the folder `cache` or from npm.

    Raises LadderError where one is in neither, or is another than the one that was tried.
    """
    return [_script(script, cache / f"{script.package}.js") for script in SCRIPTS]


def _script(script, kept):
    if not (kept.is_file() and _is_right(kept.read_bytes(), script)):
        content = _from_npm(script)
        if not _is_right(content, script):
            raise LadderError(f"npm's {script.package} has another {script.path} than its SHA-256 says; tell us of it")
        write_bytes(kept, content)
    return kept.read_bytes()


def _is_right(content, script):
    return hashlib.sha256(content).hexdigest() == script.sha256


def _from_npm(script):
    if not shutil.which("npm"):
        raise LadderError(f"npm is not installed; it fetches {script.package}, which draws the page's charts")
    with tempfile.TemporaryDirectory() as folder:
        command = ["npm", "pack", "--silent", script.package]
        try:
            done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=SECONDS, check=False)
        except subprocess.TimeoutExpired:
            raise LadderError(f"npm did not serve {script.package} within {SECONDS} s; start again") from None
        archives = list(Path(folder).glob("*.tgz"))
        if done.returncode or not archives:
            said = done.stderr.strip().splitlines() or ["no message"]
            raise LadderError(f"npm cannot fetch {script.package}: {said[0]}")
        try:
            with tarfile.open(archives[0]) as archive:
                licence, code = (_member(archive, f"package/{path}") for path in ("LICENSE", script.path))
                return b"/*!\n" + licence.strip() + b"\n*/\n" + code
        except (tarfile.TarError, KeyError, OSError, EOFError, zlib.error) as error:
            raise LadderError(f"npm's {script.package} cannot be read: {reason(error)}; start again") from None


def _member(archive, path):
    """Return a file's bytes. Raises KeyError where there is none of this name, or a folder."""
    if (file := archive.extractfile(path)) is None:
        raise KeyError(f"{path} is no file")
    return file.read()
