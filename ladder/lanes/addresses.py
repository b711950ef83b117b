"""Where tensors' numbers are in memory, for a kernel."""

import ctypes

import torch


def address(tensor: torch.Tensor) -> ctypes.c_void_p:
    """Return where a tensor begins. Raises ValueError where its numbers aren't in main memory in their order."""
    return ctypes.c_void_p(_begin(tensor))


def addresses(tensors: list[torch.Tensor]) -> ctypes.Array:
    """Return where several tensors begin, as an array of pointers."""
    return (ctypes.c_void_p * len(tensors))(*map(_begin, tensors))


def _begin(tensor):
    if not (tensor.is_contiguous() and tensor.is_cpu):
        raise ValueError(f"a kernel reads contiguous tensors in main memory, not {tensor.stride()} on {tensor.device}")
    return tensor.data_ptr()
