"""Kernels beside the layers touch nothing beyond their tensors: each lies at the edge of memory that nobody may touch.

A kernel that reads or writes one byte too many ends the process.
"""

import ctypes
import math
import mmap

import pytest
import torch

from ladder.lanes import draws, dropout, losses, optimizers, pixels, resample

PAGE = mmap.PAGESIZE


def on_the_edge(shape, dtype, side):
    """Return a tensor of zeros right behind ("first") or right before ("last") a page that nobody may touch."""
    size = math.prod(shape) * dtype.itemsize
    pages = max(1, -(-size // PAGE))
    memory = mmap.mmap(-1, (pages + 2) * PAGE)
    begin = ctypes.addressof(ctypes.c_char.from_buffer(memory))
    for page in (0, pages + 1):
        assert ctypes.CDLL(None).mprotect(ctypes.c_void_p(begin + page * PAGE), PAGE, 0) == 0
    offset = PAGE if side == "first" else (pages + 1) * PAGE - size
    if not size:
        return torch.zeros(shape, dtype=dtype)
    return torch.frombuffer(memory, dtype=dtype, count=math.prod(shape), offset=offset).view(shape)


@pytest.fixture(params=["first", "last"])
def edge(request, monkeypatch):
    """Return a function that copies a tensor to an edge; what is made new by torch.empty lies there, too."""
    side = request.param

    def empty(*shape, dtype=torch.float32):
        return on_the_edge(shape, dtype, side)

    monkeypatch.setattr(torch, "empty", empty)
    monkeypatch.setattr(torch, "empty_like", lambda x: on_the_edge(x.shape, x.dtype, side))
    monkeypatch.setattr(torch.Tensor, "new_empty", lambda x, *shape: on_the_edge(shape, x.dtype, side))
    return lambda x: on_the_edge(x.shape, x.dtype, side).copy_(x)


@pytest.mark.parametrize("images", [1, 15, 16, 17])
@pytest.mark.parametrize(("channels", "size"), [(1, 28), (3, 15), (1, 1), (3, 16), (1, 33)])
def test_images(edge, images, channels, size):
    generator = draws.generator("edge", images, channels, size)

    def uniform(*shape):
        return edge(draws.uniform(math.prod(shape), generator).view(shape))

    x = edge((255 * uniform(images, channels, size, size)).to(torch.uint8))
    resample.rotate(x, 360 * uniform(images) - 180, fill=3)
    shifts = 80 * uniform(2, images) - 40
    resample.affine(x, 2 * uniform(images) - 1, shifts, 0.5 + uniform(images), uniform(images) / 2 - 0.25)
    resample.shift(x, edge(shifts.floor()))
    for other in (1, 14, 28, 40):
        resample.resize(x, other)
        resample.center_crop(x, edge(uniform(images) < 0.5), min(other, size))
    picked = edge((images * uniform(images)).to(torch.int64))
    pixels.normalise(x, picked, edge(pixels.pixel_values([0.1] * channels, [0.3] * channels)))


@pytest.mark.parametrize("elements", [0, 1, 100, 5000])
@pytest.mark.parametrize("p", [1 / 1024, 0.5, 0.999])
def test_dropout(edge, elements, p):
    for seed in range(20):
        dropout.dropped(p, elements, draws.generator("edge", seed))


@pytest.mark.parametrize("images", [1, 15, 16, 17])
@pytest.mark.parametrize("classes", [2, 10, 33])
@pytest.mark.parametrize("kind", losses.KINDS)
def test_losses(edge, images, classes, kind):
    outputs = edge(torch.randn(images, classes)).requires_grad_()
    losses.loss_of(outputs, edge(torch.arange(images) % classes), kind)[0].backward()


@pytest.mark.parametrize("kind", [optimizers.SGD, optimizers.Adam])
def test_optimizers(edge, kind):
    weights = [torch.nn.Parameter(edge(torch.randn(size))) for size in (1, 15, 16, 17, 100)]
    optimizer = kind(weights, 0.1)
    for _ in range(2):
        for weight in weights:
            weight.grad = edge(torch.randn(weight.shape))
        optimizer.step()
