"""Tensors that a process shares with its children: written once to a file, mapped into the memory of each.

The file has no name. The system frees it with the last process that has it open, so nothing is left behind, not even
after SIGKILL. This module imports torch only where a tensor is at hand: a worker must watch its parent before that.
"""

import io
import mmap
import pickle
import tempfile
from multiprocessing import reduction
from typing import TYPE_CHECKING, Any

from ladder.exceptions import LadderError

if TYPE_CHECKING:
    from torch import Tensor

ALIGNMENT = 64  # bytes, as torch aligns its own memory


class TensorFile:
    """Pickles messages for child processes. A tensor in a message goes by the file; the message has its place there."""

    def __init__(self, file=None):
        self.file = file or _nameless_file()
        self.end = 0
        self.places = {}  # {id of a tensor: (the tensor, its place)}
        self.mapped = {}  # {place: tensor}

    def __reduce__(self):
        """Travel as a file descriptor, which `multiprocessing` gives to the child that it is starting."""
        return _reopened, (reduction.DupFd(self.file.fileno()),)

    def dumps(self, message: Any) -> bytes:
        """Return a message for `loads` in a child. Raises LadderError where the disk is full."""
        stream = io.BytesIO()
        _Pickler(stream, self).dump(message)
        return stream.getvalue()

    def loads(self, content: bytes) -> Any:
        """Return a message that the parent made with `dumps`. What is written to its tensors stays in this process."""
        return _Unpickler(io.BytesIO(content), self).load()

    def close(self) -> None:
        """Close the file. Tensors that are mapped stay."""
        self.file.close()

    def place_of(self, tensor: "Tensor") -> tuple:
        """Return where a tensor is in the file: (offset, shape, dtype). It is written there if it is not yet."""
        if id(tensor) not in self.places:
            self.places[id(tensor)] = tensor, self._write(tensor)
        return self.places[id(tensor)][1]

    def tensor_at(self, place: tuple) -> "Tensor":
        """Return the tensor at a place."""
        import torch

        if place not in self.mapped:
            offset, shape, dtype = place
            memory = mmap.mmap(self.file.fileno(), 0, access=mmap.ACCESS_COPY)
            count = torch.Size(shape).numel()
            self.mapped[place] = torch.frombuffer(memory, dtype=dtype, count=count, offset=offset).view(shape)
        return self.mapped[place]

    def _write(self, tensor):
        offset = -(-self.end // ALIGNMENT) * ALIGNMENT
        try:
            self.file.seek(offset)
            self.file.write(tensor.contiguous().numpy().data)
            self.file.flush()
        except OSError as error:
            raise _no_room(error) from None
        self.end = self.file.tell()
        return offset, tuple(tensor.shape), tensor.dtype


class _Pickler(pickle.Pickler):
    def __init__(self, stream, file):
        super().__init__(stream)
        self.file = file

    def persistent_id(self, value):
        import torch

        return self.file.place_of(value) if isinstance(value, torch.Tensor) else None


class _Unpickler(pickle.Unpickler):
    def __init__(self, stream, file):
        super().__init__(stream)
        self.file = file

    def persistent_load(self, place):
        return self.file.tensor_at(place)


def _reopened(descriptor):
    return TensorFile(open(descriptor.detach(), "rb"))


def _nameless_file():
    try:
        return tempfile.TemporaryFile()
    except OSError as error:
        raise _no_room(error) from None


def _no_room(error):
    return LadderError(
        f"no temporary file can be written ({error.strerror or error}); "
        "free some space, or set TMPDIR to a folder that has some"
    )
