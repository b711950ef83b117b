"""Tensors in safetensors files: no pickle, the same bytes for the same tensors."""

import safetensors
import safetensors.torch

from ladder.exceptions import LadderError
from ladder.files import write_bytes


def write_tensors(path, tensors, about=None):
    """Write {name: tensor} to `path`, all of it or none, with the text `about` as its metadata.

    One metadata key at most: safetensors writes several in random order.
    """
    write_bytes(path, safetensors.torch.save(tensors, {"about": about} if about else None))


def read_tensors(path):
    """Return the {name: tensor} in a safetensors file. Raises LadderError where there is none."""
    try:
        return safetensors.torch.load_file(path)
    except (OSError, safetensors.SafetensorError) as error:
        raise LadderError(
            f"{path}: not a readable safetensors file ({error}); make it again with `dvc repro`"
        ) from None
