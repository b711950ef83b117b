"""The training and test images as `preprocess` wrote them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ladder.paths import PROCESSED

if TYPE_CHECKING:
    from torch import Tensor


def read_split(split: str) -> dict[str, Tensor]:
    """Return {"images": uint8 [N, 1, 28, 28], "labels": uint8 [N]} of `train` or `test`, as `preprocess` wrote them."""
    from ladder.data.tensors import read_tensors  # imports torch, which reads what `machine.configure` set before

    return read_tensors(PROCESSED / f"{split}.safetensors")
