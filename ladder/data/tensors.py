"""Tensors in safetensors files: no pickle, the same bytes for the same tensors."""

import json
import struct
from collections.abc import Iterator
from pathlib import Path

import safetensors
import safetensors.torch
import torch
from torch import Tensor

from ladder.exceptions import LadderError
from ladder.files import write_parts

KINDS = {  # the types that are written here, in the order in which a safetensors file has their tensors
    torch.int64: "I64",
    torch.float64: "F64",
    torch.float32: "F32",
    torch.int32: "I32",
    torch.int16: "I16",
    torch.uint8: "U8",
    torch.bool: "BOOL",
}


def write_tensors(path: str | Path, tensors: dict[str, Tensor], about: str | None = None) -> None:
    """Write {name: tensor} to `path`, all of it or none, with the text `about` as its metadata.

    The bytes are those of safetensors.torch.save, which would take two copies of all tensors to make them.
    """
    write_parts(path, _parts(tensors, about))


def _parts(tensors: dict[str, Tensor], about: str | None) -> Iterator[bytes | memoryview]:
    """Yield the parts of a safetensors file: the length of its header, the header as JSON, and each tensor."""
    order = list(KINDS)
    named = sorted(tensors.items(), key=lambda named: (order.index(named[1].dtype), named[0]))
    header, end = {"__metadata__": {"about": about}} if about else {}, 0
    for name, tensor in named:
        start, end = end, end + tensor.nbytes
        header[name] = {"dtype": KINDS[tensor.dtype], "shape": list(tensor.shape), "data_offsets": [start, end]}
    text = json.dumps(header, separators=(",", ":"), ensure_ascii=False).encode()
    text += b" " * (-len(text) % 8)
    yield struct.pack("<Q", len(text)) + text
    for _, tensor in named:
        yield tensor.detach().cpu().contiguous().flatten().view(torch.uint8).numpy().data


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
