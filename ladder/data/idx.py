"""The IDX format of the MNIST files, and the four files of a data set that comes in it.

Format: Y. LeCun, C. Cortes, C. J. C. Burges, "The MNIST database of handwritten digits".
"""

import hashlib
import math
from dataclasses import dataclass
from typing import NamedTuple

from ladder.data.data_set import IDX_FILES, DataSet
from ladder.exceptions import LadderError


@dataclass(frozen=True)
class IdxFile:
    """One unpacked IDX file: shape of its values, SHA-256 of all its bytes."""

    name: str
    shape: tuple[int, ...]
    sha256: str

    @property
    def header(self) -> int:
        """The bytes before the values: a magic number, and a number for each dimension."""
        return 4 + 4 * len(self.shape)

    @property
    def size(self) -> int:
        """The bytes of the whole file; a value takes one."""
        return self.header + math.prod(self.shape)


class IdxFiles(NamedTuple):
    """The four files of a data set."""

    train_images: IdxFile
    train_labels: IdxFile
    test_images: IdxFile
    test_labels: IdxFile


def files_of(data_set: DataSet) -> IdxFiles:
    """Return the files of a data set whose source is an Idx."""
    source, side = data_set.source, data_set.side
    shapes = ((source.train, side, side), (source.train,), (source.test, side, side), (source.test,))
    named = zip(IDX_FILES, shapes, strict=True)
    return IdxFiles(*(IdxFile(name, shape, source.files[name]) for name, shape in named))


def check(content: bytes, file: IdxFile) -> None:
    """Raise LadderError unless `content` is the IdxFile, byte for byte."""
    if len(content) != file.size:
        raise LadderError(f"{file.name}: {len(content):,} bytes instead of {file.size:,}")
    if hashlib.sha256(content).hexdigest() != file.sha256:
        raise LadderError(f"{file.name}: the right size but the wrong SHA-256: damaged, or another file")


def decode(content: bytes, file: IdxFile) -> memoryview:
    """Return the values of an IDX file as a memoryview of uint8 in the file's shape, after `check`."""
    check(content, file)
    return memoryview(content)[file.header :].cast("B", file.shape)
