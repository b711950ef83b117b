"""Blocks of layers as autograd functions on maps in lanes: float32 [blocks, channels, rows, columns, 16 images].

A block is a convolution or a linear layer, or neither, and what follows it: an activation, batch normalisation,
another activation, dropout, pooling. One call into C does all of it, forward or backward.
"""

import ctypes
import functools
import platform
import threading
from dataclasses import dataclass

import torch
from torch.autograd.function import once_differentiable

from ladder.exceptions import LadderError
from ladder.lanes.build import library

LANES = 16  # images side by side in a vector
NO_PRODUCT, CONV, LINEAR = range(3)
NO_ACTIVATION, RELU, TANH, GELU, SILU = range(5)
NO_POOL, MAX_POOL, AVERAGE_POOL = range(3)
LARGEST = 2**31 - 1  # of a size in C


class _Sizes(ctypes.Structure):
    """`Block` of kernels/block.h."""

    _fields_ = (
        *((name, ctypes.c_int32) for name in ("images", "product")),
        *((name, ctypes.c_int32) for name in ("channels", "out", "height", "width")),
        *((name, ctypes.c_int32) for name in ("kernel", "stride", "padding", "dilation", "groups")),
        *((name, ctypes.c_int32) for name in ("before", "norm", "after")),
        *((name, ctypes.c_float) for name in ("eps", "momentum", "scale")),
        *((name, ctypes.c_int32) for name in ("pool", "pool_height", "pool_width")),
        *((name, ctypes.c_int32) for name in ("pool_kernel_height", "pool_kernel_width", "pool_stride")),
    )


@dataclass(frozen=True)
class Block:
    """What a block of layers does, without its parameters.

    channels, height, width: of its input; a linear layer takes channels features on maps of 1 x 1.
    product: NO_PRODUCT, CONV or LINEAR. before, after: activations on both sides of batch normalisation.
    p: dropout's probability. pool: its kind; pool_kernel: (rows, columns).
    """

    channels: int
    height: int
    width: int
    product: int = NO_PRODUCT
    out: int = 0
    kernel: int = 1
    stride: int = 1
    padding: int = 0
    dilation: int = 1
    groups: int = 1
    before: int = NO_ACTIVATION
    norm: bool = False
    after: int = NO_ACTIVATION
    eps: float = 1e-5
    momentum: float = 0.1
    p: float = 0.0
    pool: int = NO_POOL
    pool_kernel: tuple[int, int] = (1, 1)
    pool_stride: int = 1

    @functools.cached_property
    def mapped(self) -> tuple[int, int, int]:
        """The shape (channels, rows, columns) before pooling: of what dropout's places count."""
        if self.product == NO_PRODUCT:
            return self.channels, self.height, self.width
        reach = self.dilation * (self.kernel - 1)
        return self.out, *((n + 2 * self.padding - reach - 1) // self.stride + 1 for n in (self.height, self.width))

    @functools.cached_property
    def weights(self) -> int:
        """The number of weights of the product."""
        return 0 if self.product == NO_PRODUCT else self.out * (self.channels // self.groups) * self.kernel**2

    @functools.cached_property
    def shape(self) -> tuple[int, int, int]:
        """The shape (channels, rows, columns) of the output."""
        channels, *sides = self.mapped
        if self.pool == NO_POOL:
            return channels, *sides
        return channels, *((n - k) // self.pool_stride + 1 for n, k in zip(sides, self.pool_kernel, strict=True))

    @functools.cached_property
    def is_product_alone(self) -> bool:
        """Whether the output is what the gradient needs, too."""
        return not (self.norm or self.p or self.pool) and self.before in (NO_ACTIVATION, RELU, TANH)


@functools.lru_cache(maxsize=4096)
def _sizes(block, images, training):
    """Return (a pointer to the C struct, floats of work, the struct) of a block for so many images."""
    channels, height, width = block.mapped
    if min(block.shape) < 1:
        raise LadderError(f"a block's window does not fit on its map: its output would be {block.shape}")
    if max(images, channels * height * width, block.channels * block.height * block.width) * LANES > LARGEST:
        raise LadderError(
            f"maps of {block.mapped} for {images} images are too large; take a smaller network or batch_size"
        )
    scale = 1 / (1 - block.p) if training else 1
    sizes = _Sizes(
        images, block.product, block.channels, channels, block.height, block.width, block.kernel, block.stride,
        block.padding, block.dilation, block.groups, block.before, block.norm, block.after, block.eps, block.momentum,
        scale, block.pool, height, width, *block.pool_kernel, block.pool_stride,
    )  # fmt: skip
    return ctypes.addressof(sizes), kernels().block_work(ctypes.addressof(sizes)), sizes


def sizes_of(block: Block, images: int) -> bytes:
    """Return the C struct `Block` of kernels/block.h in inference, for a build of the kernels elsewhere."""
    return bytes(_sizes(block, images, False)[2])


@functools.cache
def kernels() -> ctypes.CDLL:
    """Return the library with the argument types of the functions that this module and its neighbours call."""
    lib = library()
    _keep_freed_memory()
    pointer, size = ctypes.c_void_p, ctypes.c_ssize_t
    for name, arguments, result in (
        ("block_work", [pointer], size),
        ("block_forward", [pointer] * 13 + [size, pointer], size),
        ("block_backward", [pointer] * 15, None),
        ("lanes_from_images", [pointer, pointer, size, size], None),
        ("images_from_lanes", [pointer, pointer, size, size], None),
        ("softmax_forward", [pointer, pointer, size, size], None),
        ("softmax_backward", [pointer, pointer, pointer, size, size], None),
        ("log_softmax_forward", [pointer, pointer, size, size], None),
        ("log_softmax_backward", [pointer, pointer, pointer, size, size], None),
    ):
        function = getattr(lib, name)
        function.argtypes, function.restype = arguments, result
    return lib


def _keep_freed_memory():
    """Let the GNU C library keep what a step frees for the next step, instead of giving it back to the system.

    Else the system clears the same pages again and again: with 8,000 page faults a step, part3 took 43 ms, not 31.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt and platform.libc_ver()[0] == "glibc":
        trim_threshold, mmap_threshold = -1, -3  # their numbers in malloc.h
        mallopt(trim_threshold, 2**30)
        mallopt(mmap_threshold, 2**25)  # the largest that it takes


class _Work(threading.local):
    """Memory that no call keeps anything in: one piece a thread, which so stays in the cache."""

    memory = torch.empty(0)

    def address(self, floats):
        if self.memory.numel() < floats:
            self.memory = torch.empty(floats)
        return self.memory.data_ptr()


_work = _Work()


def _ready(x):
    """Return x as the kernels read it: float32, dense, at a multiple of 64 bytes. Itself where it is so."""
    if x.dtype != torch.float32 or x.device.type != "cpu":
        raise LadderError(f"the lanes compute in float32 on the CPU, not in {x.dtype} on {x.device}")
    x = x.contiguous()
    return x.clone() if x.data_ptr() % 64 else x


def _parameter(values, count):
    """Return `count` float32 numbers of a module, in the order of their shape. Raises LadderError."""
    if values is None:
        return None
    if values.numel() != count or values.dtype != torch.float32 or values.device.type != "cpu":
        raise LadderError(
            f"the lanes expect {count} float32 numbers on the CPU here, not {values.dtype} {tuple(values.shape)} "
            f"on {values.device}"
        )
    return values.contiguous()


def _address(tensor):
    return None if tensor is None else tensor.data_ptr()


def blocks_of(images: int) -> int:
    """Return how many blocks of 16 hold so many images."""
    return -(-images // LANES)


# --- one block --------------------------------------------------------------------------------------------------


def run_block(
    block: Block,
    x: torch.Tensor,
    images: int,
    weight: torch.Tensor | None = None,
    bias: torch.Tensor | None = None,
    norm: torch.nn.BatchNorm2d | None = None,
    places: torch.Tensor | None = None,
    training: bool = True,
) -> torch.Tensor:
    """Return a block's output in lanes, [blocks, *block.shape, 16], for x [blocks, channels, height, width, 16].

    images: how many of the lanes hold images; the others are 0 and count for nothing. norm: the module with gamma,
    beta and the running statistics, which move while training. places: int64, sorted, what dropout drops, numbered in
    [image][channel][row][column]; wanted where the block has p > 0 and trains. Not training, no gradient comes back.
    Raises LadderError where a size does not fit.
    """
    expected = (blocks_of(images), block.channels, block.height, block.width, LANES)
    if x.shape != expected:
        raise LadderError(f"{images} images in lanes have the shape {expected} here, not {tuple(x.shape)}")
    channels = block.mapped[0]
    weight, bias = _parameter(weight, block.weights), _parameter(bias, channels)
    gamma, beta = (_parameter(norm.weight, channels), _parameter(norm.bias, channels)) if norm else (None, None)
    if not training:
        with torch.no_grad():
            return _forward(block, _ready(x), images, weight, bias, gamma, beta, norm, None, training=False)[0]
    if norm is not None:
        if images * block.mapped[1] * block.mapped[2] == 1:
            raise LadderError(
                "a batch of one image leaves batch normalisation one value a channel; take another batch_size"
            )
        norm.num_batches_tracked.add_(1)
    if block.p and (places is None or places.dtype != torch.int64 or not places.is_contiguous()):
        raise LadderError("dropout has no list of int64 places to drop yet; draw one for every batch")
    return _Block.apply(x, weight, bias, gamma, beta, block, images, norm, places if block.p else None)


def _forward(block, x, images, weight, bias, gamma, beta, norm, places, training):
    """Return (output, what to keep of it, moments [2, channels], bits of the dropped); all but one for training."""
    sizes, floats, _ = _sizes(block, images, training)
    out = x.new_empty(x.shape[0], *block.shape, LANES)
    kept = moments = dropped = None
    if training:
        copies = block.product == NO_PRODUCT and block.before in (NO_ACTIVATION, GELU, SILU)
        kept = x if copies else out if block.is_product_alone else x.new_empty(x.shape[0], *block.mapped, LANES)
        moments = x.new_empty(2, block.mapped[0]) if block.norm else None
        dropped = None if places is None else x.new_empty(x.shape[0], *block.mapped, dtype=torch.int16)
    count = 0 if places is None else places.numel()
    marked = kernels().block_forward(
        sizes, out.data_ptr(), _address(kept), _address(moments), x.data_ptr(), _address(weight), _address(bias),
        _address(gamma), _address(beta), _address(norm and norm.running_mean), _address(norm and norm.running_var),
        _address(dropped), _address(places), count, _work.address(floats),
    )  # fmt: skip
    if marked < count:
        raise LadderError(f"dropout's places are not sorted, or lie outside of {images} images of {block.mapped}")
    return out, kept, moments, dropped


class _Block(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x, weight, bias, gamma, beta, block, images, norm, places):
        x = _ready(x)
        out, kept, moments, dropped = _forward(block, x, images, weight, bias, gamma, beta, norm, places, training=True)
        ctx.save_for_backward(x, weight, gamma, beta, kept, moments, dropped)
        ctx.block, ctx.images, ctx.has_bias = block, images, bias is not None
        return out

    @staticmethod
    @once_differentiable
    def backward(ctx, g):
        x, weight, gamma, beta, kept, moments, dropped = ctx.saved_tensors
        block, g = ctx.block, _ready(g)
        sizes, floats, _ = _sizes(block, ctx.images, True)
        dx = torch.empty_like(x) if ctx.needs_input_grad[0] or block.product == NO_PRODUCT else None
        d_weight = None if weight is None else x.new_empty(weight.shape)
        d_bias = x.new_empty(block.mapped[0]) if ctx.has_bias else None
        d_gamma, d_beta = (x.new_empty(gamma.shape), x.new_empty(beta.shape)) if block.norm else (None, None)
        kernels().block_backward(
            sizes, _address(dx), _address(d_weight), _address(d_bias), _address(d_gamma), _address(d_beta),
            g.data_ptr(), x.data_ptr(), kept.data_ptr(), _address(moments), _address(weight), _address(gamma),
            _address(beta), _address(dropped), _work.address(floats),
        )  # fmt: skip
        return dx, d_weight, d_bias, d_gamma, d_beta, None, None, None, None


# --- layouts ----------------------------------------------------------------------------------------------------


def to_lanes(x: torch.Tensor) -> torch.Tensor:
    """Return x [images, channels, rows, columns] or [images, features] as [blocks, channels, rows, columns, 16].

    Lanes beyond the last image are 0. Features are channels on maps of 1 x 1.
    """
    return _ToLanes.apply(x)


def from_lanes(x: torch.Tensor, images: int) -> torch.Tensor:
    """Return x [blocks, channels, rows, columns, 16] as [images, channels, rows, columns]."""
    return _FromLanes.apply(x, images)


def _lanes_from_images(x):
    x, shape = _ready(x), (*x.shape[1:], 1, 1)[:3]
    out = x.new_empty(blocks_of(len(x)), *shape, LANES)
    kernels().lanes_from_images(out.data_ptr(), x.data_ptr(), len(x), x[0].numel())
    return out


def _images_from_lanes(x, images):
    x = _ready(x)
    out = x.new_empty(images, *x.shape[1:4])
    kernels().images_from_lanes(out.data_ptr(), x.data_ptr(), images, out[0].numel())
    return out


class _ToLanes(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x):
        ctx.shape = x.shape
        return _lanes_from_images(x)

    @staticmethod
    @once_differentiable
    def backward(ctx, g):
        return _images_from_lanes(g, ctx.shape[0]).view(ctx.shape)


class _FromLanes(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x, images):
        return _images_from_lanes(x, images)

    @staticmethod
    @once_differentiable
    def backward(ctx, g):
        return _lanes_from_images(g), None


# --- softmax ----------------------------------------------------------------------------------------------------


def softmax(x: torch.Tensor) -> torch.Tensor:
    """Return the softmax over the channels of x [blocks, channels, 1, 1, 16], lane by lane."""
    return _Softmax.apply(x, "softmax")


def log_softmax(x: torch.Tensor) -> torch.Tensor:
    """Return the logarithm of the softmax over the channels of x [blocks, channels, 1, 1, 16], lane by lane."""
    return _Softmax.apply(x, "log_softmax")


class _Softmax(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x, name):
        x, ctx.name = _ready(x), name
        y = torch.empty_like(x)
        getattr(kernels(), f"{name}_forward")(y.data_ptr(), x.data_ptr(), x.shape[0], x.shape[1])
        ctx.save_for_backward(y)
        return y

    @staticmethod
    @once_differentiable
    def backward(ctx, g):
        g, (y,) = _ready(g), ctx.saved_tensors
        dx = torch.empty_like(y)
        getattr(kernels(), f"{ctx.name}_backward")(dx.data_ptr(), g.data_ptr(), y.data_ptr(), y.shape[0], y.shape[1])
        return dx, None
