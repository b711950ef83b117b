"""Tensors in safetensors files: no pickle, the same bytes for the same tensors."""

import os
import re
from pathlib import Path

import safetensors
import safetensors.torch
import torch
from torch import Tensor

from ladder.exceptions import LadderError
from ladder.files import replacing


def write_tensors(path: str | Path, tensors: dict[str, Tensor], about: str | None = None) -> None:
    """Write {name: tensor} to `path`, all of it or none, with the text `about` as its metadata.

    One metadata key at most: safetensors writes several in random order.
    """
    with replacing(path) as temporary:
        try:
            safetensors.torch.save_file(tensors, temporary, {"about": about} if about else None)
        except safetensors.SafetensorError as error:
            if number := re.search(r"\(os error (\d+)\)", str(error)):
                raise OSError(int(number[1]), os.strerror(int(number[1]))) from error
            raise


def read_tensors(path: str | Path) -> dict[str, Tensor]:
    """Return the {name: tensor} in a safetensors file. Raises LadderError where there is none."""
    try:
        return safetensors.torch.load_file(path)
    except (OSError, safetensors.SafetensorError) as error:
        raise LadderError(
            f"{path}: not a readable safetensors file ({_reason(path, error)}); make it again with `dvc repro`"
        ) from None


def label_type(classes: int) -> torch.dtype:
    """Return the type of the labels of so many classes: the smallest that a safetensors file and NumPy share."""
    return torch.uint8 if classes <= 256 else torch.int16


def _reason(path, error):
    """Return why a file cannot be read. safetensors says "No such file" of a file that it may not open, too."""
    try:
        Path(path).open("rb").close()
    except OSError as fault:
        return fault.strerror
    return " ".join(str(error).split())
