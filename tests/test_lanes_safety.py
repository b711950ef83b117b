"""The kernels of the layers read and write nothing beyond what they are given, and do nothing that C leaves undefined.

They run in a process of their own, compiled with clang's undefined-behaviour sanitizer, which traps, and on memory that
ends (or begins) at a page that nobody may touch. The compiler from PyPI has no address sanitizer; these pages take its
place.
"""

import ctypes
import math
import mmap
import os
import subprocess
import sys

import pytest
from projects import REPOSITORY

from ladder.lanes.build import NATIVE

pytestmark = pytest.mark.slow

ENVIRONMENT = os.environ | {"PYTHONPATH": str(REPOSITORY)}

# Unoptimised: with the sanitizer, -O1 compiles for two minutes instead of three seconds.
SANITIZED = ("-O0", "-fsanitize=undefined", "-fsanitize-trap=undefined", "-fno-sanitize-recover=all")


def fenced(shape, dtype, at_end):
    """Return a tensor whose memory touches a forbidden page, behind its last byte or before its first."""
    import torch

    page, size = mmap.PAGESIZE, math.prod(shape) * dtype.itemsize
    inner = max(1, math.ceil(size / page)) * page
    memory = mmap.mmap(-1, inner + 2 * page)
    start = ctypes.addressof(ctypes.c_char.from_buffer(memory))
    protect = ctypes.CDLL(None, use_errno=True).mprotect
    for forbidden in (start, start + page + inner):
        assert not protect(ctypes.c_void_p(forbidden), ctypes.c_size_t(page), 0)
    _kept.append(memory)
    if not size:
        return torch.zeros(shape, dtype=dtype)
    offset = page + inner - size if at_end else page
    return torch.frombuffer(memory, dtype=dtype, count=math.prod(shape), offset=offset).view(shape)


_kept = []


def run_all(cpu, at_end):
    """Run blocks of every kind, forward and backward, training and not, on fenced memory."""
    import torch
    from torch import nn

    from ladder.lanes import blocks, build, network

    def empty(*shape, dtype=torch.float32):
        shape = shape[0] if len(shape) == 1 and not isinstance(shape[0], int) else shape
        return fenced(shape, dtype, at_end)

    def copied(tensor):
        return empty(tuple(tensor.shape), dtype=tensor.dtype).copy_(tensor)

    library = build.load(build.build(cpu, SANITIZED))
    blocks.library = lambda: library
    torch.empty_like = lambda x: empty(tuple(x.shape), dtype=x.dtype)
    torch.Tensor.new_empty = lambda self, *shape, dtype=torch.float32: empty(*shape, dtype=dtype)
    blocks._ready = lambda x: copied(x.contiguous())  # what torch made is not fenced
    blocks._Work.address = lambda self, floats: empty(floats).data_ptr()
    conv, norm, drop = nn.Conv2d, nn.BatchNorm2d, network.Dropout
    for images, side, modules in (
        (17, 9, [conv(2, 7, 3, padding=1), norm(7), nn.ReLU(), drop(0.2, 567), nn.MaxPool2d(2)]),
        (16, 9, [conv(2, 11, 3, stride=2), nn.ReLU(), norm(11), drop(0.2, 176), nn.MaxPool2d(3, 1)]),
        (3, 7, [conv(2, 6, 2, 1, 3, 2, 2), nn.GELU(), norm(6), nn.Tanh(), nn.AvgPool2d(2)]),
        (33, 5, [conv(2, 5, 1, padding=1, stride=3), nn.SiLU(), drop(0.5, 45), nn.AdaptiveAvgPool2d(1)]),
        (5, 6, [conv(2, 13, 6), nn.Flatten(), nn.Linear(13, 23), nn.Tanh(), nn.Linear(23, 3), nn.LogSoftmax(1)]),
        (20, 4, [nn.MaxPool2d(3, 2), nn.Flatten(), nn.Softmax(1)]),
        (20, 11, [conv(2, 9, 5, padding=4), norm(9), nn.SiLU(), drop(0.1, 9 * 225)]),
    ):
        net = network.Lanes(*modules, nn.Flatten())
        for holder in net.modules():
            for name, tensor in [*holder.named_parameters(recurse=False), *holder.named_buffers(recurse=False)]:
                getattr(holder, name).data = copied(tensor.data)
            if isinstance(holder, network.Dropout):
                holder.places = copied((torch.rand(images * holder.elements) < holder.p).nonzero().flatten())
        x = torch.randn(images, 2, side, side, requires_grad=True)
        net(x).sum().backward()
        with torch.no_grad():
            net.eval()(x)


@pytest.mark.parametrize("at_end", [True, False])
@pytest.mark.parametrize("cpu", [NATIVE])
def test_kernels_stay_within_their_memory_and_within_c(cpu, at_end, request):
    script = f"from test_lanes_safety import run_all; run_all({cpu!r}, {at_end}); print('done')"
    done = subprocess.run(
        [sys.executable, "-X", "faulthandler", "-c", script],
        cwd=request.path.parent,
        env=ENVIRONMENT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stdout == "done\n", done.stderr[-3000:]


def test_the_fence_stands(request):
    script = "import torch; from test_lanes_safety import fenced; x = fenced((16,), torch.float32, True); "
    script += "import ctypes; print('near', flush=True); ctypes.memset(x.data_ptr(), 0, 65)"
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=request.path.parent, env=ENVIRONMENT, capture_output=True, check=False
    )
    assert done.stdout == b"near\n"
    assert done.returncode < 0  # ended by a signal
