"""The four MNIST files: their names, sizes and hashes, and the IDX format they are in.

Format and files: Y. LeCun, C. Cortes, C. J. C. Burges, "The MNIST database of handwritten digits".
"""

import hashlib
from dataclasses import dataclass

from ladder.exceptions import LadderError


@dataclass(frozen=True)
class IdxFile:
    """One decoded IDX file: header bytes and shape of what follows, total size in bytes, SHA-256."""

    name: str
    shape: tuple[int, ...]
    size: int
    sha256: str


TRAIN_IMAGES = IdxFile(
    "train-images-idx3-ubyte",
    (60000, 28, 28),
    47040016,
    "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db",
)
TRAIN_LABELS = IdxFile(
    "train-labels-idx1-ubyte",
    (60000,),
    60008,
    "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5",
)
TEST_IMAGES = IdxFile(
    "t10k-images-idx3-ubyte",
    (10000, 28, 28),
    7840016,
    "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7",
)
TEST_LABELS = IdxFile(
    "t10k-labels-idx1-ubyte",
    (10000,),
    10008,
    "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2",
)
FILES = (TRAIN_IMAGES, TRAIN_LABELS, TEST_IMAGES, TEST_LABELS)


def check(content: bytes, file: IdxFile) -> None:
    """Raise LadderError unless `content` is the IdxFile, byte for byte."""
    if len(content) != file.size:
        raise LadderError(f"{file.name}: {len(content):,} bytes instead of {file.size:,}")
    if hashlib.sha256(content).hexdigest() != file.sha256:
        raise LadderError(f"{file.name}: the right size but the wrong SHA-256: damaged, or another file")


def decode(content: bytes, file: IdxFile) -> memoryview:
    """Return the values of an IDX file as a memoryview of uint8 in the file's shape, after `check`."""
    check(content, file)
    header = 4 + 4 * len(file.shape)
    return memoryview(content)[header:].cast("B", file.shape)
