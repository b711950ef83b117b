"""Tensors in safetensors files: no pickle, the same bytes for the same tensors."""

from pathlib import Path

import safetensors
import safetensors.torch
from torch import Tensor

from ladder.exceptions import LadderError
from ladder.files import write_bytes


def write_tensors(path: str | Path, tensors: dict[str, Tensor], about: str | None = None) -> None:
    """Write {name: tensor} to `path`, all of it or none, with the text `about` as its metadata.

    One metadata key at most: safetensors writes several in random order.
    """
    write_bytes(path, safetensors.torch.save(tensors, {"about": about} if about else None))


def read_tensors(path: str | Path) -> dict[str, Tensor]:
    """Return the {name: tensor} in a safetensors file. Raises LadderError where there is none."""
    try:
        return safetensors.torch.load_file(path)
    except (OSError, safetensors.SafetensorError) as error:
        raise LadderError(
            f"{path}: not a readable safetensors file ({_reason(path, error)}); make it again with `dvc repro`"
        ) from None


def _reason(path, error):
    """Return why a file cannot be read. safetensors says "No such file" of a file that it may not open, too."""
    try:
        Path(path).open("rb").close()
    except OSError as fault:
        return fault.strerror
    return " ".join(str(error).split())
