"""Where tensors' numbers are in memory, for a kernel, which cannot see what they are."""

import ctypes

import torch


def address(tensor: torch.Tensor, dtype: torch.dtype = torch.float32, shape: tuple | None = None) -> ctypes.c_void_p:
    """Return where a tensor's numbers begin.

    Raises TypeError where they aren't of `dtype`, one after another in main memory, and, if given, of `shape`.
    """
    if shape is not None and tensor.shape != shape:
        raise TypeError(f"a kernel takes a tensor of shape {tuple(shape)} here, not {tuple(tensor.shape)}")
    return ctypes.c_void_p(_begin(tensor, dtype))


def addresses(tensors: list[torch.Tensor]) -> ctypes.Array:
    """Return where the numbers of several float32 tensors begin, as an array of pointers. Raises TypeError."""
    return (ctypes.c_void_p * len(tensors))(*[_begin(tensor, torch.float32) for tensor in tensors])


def _begin(tensor, dtype):
    if tensor.dtype is dtype and tensor.is_contiguous() and tensor.is_cpu:
        return tensor.data_ptr()
    found = f"{tensor.dtype} with strides {tensor.stride()} on {tensor.device}"
    raise TypeError(f"a kernel takes contiguous {dtype} on the CPU, not {found}")
