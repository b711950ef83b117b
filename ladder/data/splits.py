"""The training and test images as `preprocess` wrote them."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from ladder.exceptions import LadderError
from ladder.paths import DEFAULT_DATA, PIPELINE, processed_folder

if TYPE_CHECKING:
    from torch import Tensor

LISTED = ("index", "label", "group", "kind")  # the columns of reports/test_images.csv


class Split(NamedTuple):
    """Images with what is known of them.

    images: uint8 [N, C, S, S]; labels: uint8 [N], int16 of more than 256 classes; groups: int32 [N], who made each
    image (None: not known); kinds: uint8 [N], what kind of people made it (None: not known).
    """

    images: Tensor
    labels: Tensor
    groups: Tensor | None = None
    kinds: Tensor | None = None

    def pick(self, chosen: Tensor) -> Split:
        """Return the part that a mask, bool [N], or indices, int64 [M], choose."""
        return Split(*(part if part is None else part[chosen] for part in self))


def preprocess(data: str) -> str:
    """Return what DVC calls the stage that writes a data set's splits."""
    return f"{PIPELINE}:preprocess@{data}"


def read_split(split: str, data: str = DEFAULT_DATA) -> Split:
    """Return `train` or `test` of a data set as `preprocess` wrote it. Raises LadderError where it did not."""
    from ladder.data.tensors import read_tensors  # imports torch, which takes seconds

    path = processed_folder(data) / f"{split}.safetensors"
    try:
        return Split(**read_tensors(path))
    except TypeError:
        raise LadderError(
            f"{path} was written by other code; make it again with `dvc repro {preprocess(data)}`"
        ) from None
