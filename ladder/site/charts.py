"""Vega and Vega-Lite, the scripts that draw the page's charts: fetched once by npm, and checked."""

import hashlib
import tempfile
from dataclasses import dataclass
from pathlib import Path

from ladder.data.packages import from_npm
from ladder.data.sources import FAILURES, reason
from ladder.exceptions import LadderError
from ladder.files import write_bytes


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
    with tempfile.TemporaryDirectory() as folder:
        try:
            licence = from_npm(script.package, "package/LICENSE", Path(folder))
            code = from_npm(script.package, f"package/{script.path}", Path(folder))
        except FAILURES as error:
            said = f"npm's {script.package}, which draws the page's charts, cannot be had: {reason(error)}"
            raise LadderError(f"{said}; start again") from None
    return b"/*!\n" + licence.strip() + b"\n*/\n" + code
