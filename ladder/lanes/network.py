"""A network of plain torch modules, computed by the lanes: same modules, same names, same state_dict.

`Lanes` is a Sequential. Where it trains or evaluates, each convolution or linear layer and what follows it become one
block (ladder/lanes/blocks.py). A module that the lanes do not know runs as it is, between two changes of layout. Torch
computes it then, and its bits may be this machine's alone: `has_kernel` tells.
"""

import functools
import math
from collections import OrderedDict
from collections.abc import Callable

import torch
from numpy.random import BitGenerator
from torch import Tensor, nn

from ladder.exceptions import LadderError
from ladder.lanes import blocks
from ladder.lanes.blocks import Block
from ladder.lanes.dropout import dropped

Shape = tuple[int, ...]  # of one image: (channels, rows, columns), or (features,) where it is flat
_ACTIVATIONS = {nn.ReLU: blocks.RELU, nn.Tanh: blocks.TANH, nn.GELU: blocks.GELU, nn.SiLU: blocks.SILU}


class Dropout(nn.Module):
    """Dropout by a list: while training, zero the elements in `places` and scale the others by 1/(1-p).

    places: int64, sorted, numbers of elements in [image][channel][row][column] of the batch; drawn anew for every
    batch. elements: how many an image has here.
    """

    def __init__(self, p: float, elements: int):
        super().__init__()
        self.p, self.elements, self.places = p, elements, None

    def forward(self, x: Tensor) -> Tensor:
        if not self.training:
            return x
        if self.places is None:
            raise LadderError("dropout has no list of int64 places to drop yet; draw one for every batch")
        kept = torch.full(x.shape, 1 / (1 - self.p), dtype=x.dtype, device=x.device)
        kept.view(-1)[self.places] = 0
        return x * kept


class Lanes(nn.Sequential):
    """A Sequential of torch's own modules that maps float32 [N, channels, S, S] to [N, classes].

    On the CPU the lanes compute it; elsewhere torch does.
    """

    def forward(self, x: Tensor, images: int | None = None) -> Tensor:
        """Return the outputs [N, classes]. x: as above, or in lanes; then `images` says how many of them count."""
        if not x.is_cpu:
            return super().forward(x)
        images = len(x) if images is None else images
        return blocks.from_lanes(self.in_lanes(x, images), images).flatten(1)

    def in_lanes(self, x: Tensor, images: int, shape: Shape | None = None) -> Tensor:
        """Return the outputs in lanes, [blocks, classes, 1, 1, 16]; see `forward`.

        shape: (channels, rows, columns) of the input, or (features,), where x does not tell.
        """
        shape = shape or tuple(x.shape[1:4])
        if x.dim() < 5:
            x = blocks.to_lanes(x)
        for step in self._steps(shape):
            x = step(x, images)
        return x

    def _steps(self, shape):
        """Return the functions (x in lanes, images) -> y in lanes that the modules come down to."""
        known = self.__dict__.setdefault("_known_steps", {})
        modules = tuple(self)
        key = (shape, *map(id, modules))
        if key not in known:
            known.clear()
            known[key] = _planned(modules, shape)[0]
        return known[key]

    def __getstate__(self):
        return {name: value for name, value in self.__dict__.items() if name != "_known_steps"}


class Nested(Lanes):
    """A sequence within a sequence, whose output is combined with its input.

    combine: the function of (input, output), in lanes too, where channels are dimension 1 as in torch. Only copies,
    elementwise sums and elementwise products keep the bits the same everywhere.
    """

    def __init__(self, modules: OrderedDict[str, nn.Module], combine: Callable[[Tensor, Tensor], Tensor]):
        super().__init__(modules)
        self.combine = combine

    def forward(self, x: Tensor, images: int | None = None) -> Tensor:
        """Return the combined output for maps [N, channels, rows, columns] or features [N, features]."""
        if not x.is_cpu:
            return self.combine(x, super().forward(x))
        images = len(x) if images is None else images
        y = blocks.from_lanes(self.in_lanes(x, images), images)
        return y.flatten(1) if x.dim() == 2 else y

    def in_lanes(self, x: Tensor, images: int, shape: Shape | None = None) -> Tensor:
        shape = shape or tuple(x.shape[1:4])
        x = blocks.to_lanes(x) if x.dim() < 5 else x
        return self.combine(x, super().in_lanes(x, images, shape))


def draw_dropout(network: nn.Module, images: int, generator: BitGenerator) -> None:
    """Draw, for a batch of `images` images, what every dropout of a network drops."""
    for module in network.modules():
        if isinstance(module, Dropout):
            module.places = dropped(module.p, images * module.elements, generator)


# --- from modules to blocks ---------------------------------------------------------------------------------------


def has_kernel(module: nn.Module, shape: Shape) -> bool:
    """Return whether the lanes compute a module for inputs of `shape`: (channels, rows, columns) or (features,).

    A `Nested` has kernels where the modules in it have.
    """
    return _kernel_step([module], shape) is not None


def _planned(modules, shape):
    """Return (steps of `modules`, shape behind them) for inputs of `shape`; see `has_kernel`."""
    steps, position = [], 0
    while position < len(modules):
        step, used, shape = _kernel_step(modules[position:], shape) or _plain_step(modules[position], shape)
        steps.append(step)
        position += used
    return steps, shape


def _kernel_step(modules, shape):
    """Return (step, number of modules it does, shape behind it) for the first of `modules`.

    None where the lanes have no kernel for it.
    """
    first = modules[0]
    if isinstance(first, Nested):
        return functools.partial(first.in_lanes, shape=shape), 1, _nested_shape(first, shape)
    if isinstance(first, nn.Flatten) and (first.start_dim, first.end_dim) == (1, -1):
        features = math.prod(shape)
        return lambda x, images: x.reshape(x.shape[0], features, 1, 1, blocks.LANES), 1, (features,)
    if isinstance(first, nn.Softmax | nn.LogSoftmax) and _as_map(shape)[1:] == (1, 1) and first.dim in (1, -1):
        function = blocks.softmax if isinstance(first, nn.Softmax) else blocks.log_softmax
        return lambda x, images: function(x), 1, shape
    used, fields, parts = _gathered(modules, _as_map(shape))
    if not used:
        return None
    block = Block(**fields)
    behind = block.shape if len(shape) == 3 else block.shape[:1]
    return functools.partial(_run, block, modules[:used], parts), used, behind


def _as_map(shape):
    """Return a shape as lanes have it: features are channels on maps of 1 x 1."""
    return (*shape, 1, 1)[:3]


def _run(block, modules, parts, x, images):
    """Run a block of lanes. parts: its modules with a state: product, norm, dropout, or None."""
    product, norm, dropout = parts
    if x.shape[1] != block.channels:  # a convolution over a whole map is a linear layer
        x = x.reshape(x.shape[0], block.channels, 1, 1, blocks.LANES)
    return blocks.run_block(
        block,
        x,
        images,
        None if product is None else product.weight,
        None if product is None else product.bias,
        norm,
        None if dropout is None else dropout.places,
        modules[0].training,
    )


def _plain_step(module, shape):
    """Return (step, 1, shape behind it) for a module that the lanes have no kernel for: torch computes it.

    The shape behind it is found by running it once on zeros.
    """
    was_training = module.training
    with torch.no_grad():
        out = module.eval()(torch.zeros(1, *shape))
    module.train(was_training)
    return functools.partial(_run_plain, module, shape), 1, tuple(out.shape[1:])


def _run_plain(module, shape, x, images):
    """Run a module of torch on x in lanes. shape: what it expects of one image."""
    return blocks.to_lanes(module(blocks.from_lanes(x, images).view(images, *shape)))


def _nested_shape(nested, shape):
    """Return the shape behind a Nested, found by combining zeros."""
    _, inside = _planned(tuple(nested), shape)
    return tuple(nested.combine(torch.zeros(1, *shape), torch.zeros(1, *inside)).shape[1:])


def _gathered(modules, shape):
    """Return (number of modules, fields of Block, (product, norm, dropout)) of the longest block that begins here."""
    fields = dict(zip(("channels", "height", "width"), shape, strict=True))
    place, used, at = 0, 0, {}
    for module in modules:
        found = _fields_of(module, place, shape, Block(**fields).mapped if used else shape)
        if found is None:
            break
        place, own = found
        fields |= own
        at[place] = module
        used += 1
    return used, fields, (at.get(PRODUCT), at.get(NORM), at.get(DROPOUT))


PRODUCT, BEFORE, NORM, AFTER, DROPOUT, POOL = range(1, 7)  # the places in a block, in their order


def _fields_of(module, place, shape, mapped):
    """Return (the place that a module takes in a block, its fields of Block), or None where it cannot take one.

    place: the last one that is taken, 0 for none. shape: of the block's input; mapped: of what its product gives.
    """
    if place < PRODUCT and isinstance(module, nn.Conv2d) and _is_known_conv(module):
        return PRODUCT, _conv_fields(module, shape)
    if place < PRODUCT and isinstance(module, nn.Linear) and shape[1:] == (1, 1):
        return PRODUCT, {"product": blocks.LINEAR, "out": module.out_features}
    if type(module) in _ACTIVATIONS and getattr(module, "approximate", "none") == "none":
        if place < BEFORE:
            return BEFORE, {"before": _ACTIVATIONS[type(module)]}
        if place == NORM:
            return AFTER, {"after": _ACTIVATIONS[type(module)]}
    if place < NORM and isinstance(module, nn.BatchNorm2d) and _is_known_norm(module):
        return NORM, {"norm": True, "eps": module.eps, "momentum": module.momentum}
    if place < DROPOUT and isinstance(module, Dropout):
        return DROPOUT, {"p": module.p}
    if place < POOL and (pool := _pool_fields(module, mapped)):
        return POOL, pool
    return None


def _is_known_conv(conv):
    """Return whether a Conv2d is square in all its sizes and padded with zeros."""
    sizes = (conv.kernel_size, conv.stride, conv.dilation)
    padded = isinstance(conv.padding, tuple) and conv.padding[0] == conv.padding[1] and conv.padding_mode == "zeros"
    return padded and all(a == b for a, b in sizes)


def _is_known_norm(norm):
    """Return whether a BatchNorm2d has all that is usual: weights, running statistics, a fixed momentum."""
    return norm.affine and norm.track_running_stats and norm.momentum is not None


def _conv_fields(conv, shape):
    """Return the fields of Block for a Conv2d on maps of `shape`: a linear layer's where it covers the whole map."""
    kernel, padding = conv.kernel_size[0], conv.padding[0]
    if shape[1:] == conv.kernel_size and not padding and conv.groups == 1 and conv.dilation[0] == 1:
        sizes = {"channels": math.prod(shape), "height": 1, "width": 1}
        return sizes | {"product": blocks.LINEAR, "out": conv.out_channels}
    return {
        "product": blocks.CONV,
        "out": conv.out_channels,
        "kernel": kernel,
        "stride": conv.stride[0],
        "padding": padding,
        "dilation": conv.dilation[0],
        "groups": conv.groups,
    }


def _pool_fields(module, shape):
    """Return the fields of Block for a pooling module on maps of `shape`, or None for what is none of the known."""
    if isinstance(module, nn.AdaptiveAvgPool2d) and module.output_size in (1, (1, 1)):
        return {"pool": blocks.AVERAGE_POOL, "pool_kernel": shape[1:], "pool_stride": max(shape[1:])}
    if not isinstance(module, nn.MaxPool2d | nn.AvgPool2d):
        return None
    sizes = (module.kernel_size, module.stride, module.padding, getattr(module, "dilation", 1))
    if not all(isinstance(size, int) for size in sizes) or module.padding or module.ceil_mode or sizes[3] != 1:
        return None
    kind = blocks.MAX_POOL if isinstance(module, nn.MaxPool2d) else blocks.AVERAGE_POOL
    return {"pool": kind, "pool_kernel": (module.kernel_size,) * 2, "pool_stride": module.stride}


def blocks_in(network: Lanes, shape: tuple[int, int, int]) -> list[tuple[Block | str, nn.Module, nn.BatchNorm2d]]:
    """Return what a network comes down to in inference: (Block, its product, its normalisation), either may be None.

    "softmax" or "log_softmax" stands for a Block of that kind. A flattening is none, since features lie as maps do.
    shape: (channels, rows, columns) of the input. For other programs that run the kernels; it raises LadderError for
    a module without a kernel, and for a sequence within the sequence.
    """
    found, modules = [], tuple(network)
    names = {nn.Softmax: "softmax", nn.LogSoftmax: "log_softmax"}
    while modules:
        used, fields, (product, norm, _) = _gathered(modules, shape)
        if used:
            found.append((Block(**fields), product, norm))
            shape = found[-1][0].shape
        elif isinstance(modules[0], nn.Flatten):
            shape = (math.prod(shape), 1, 1)
        elif type(modules[0]) in names and shape[1:] == (1, 1):
            found.append((names[type(modules[0])], None, None))
        else:
            raise LadderError(f"{type(modules[0]).__name__} is no block of the lanes")
        modules = modules[used or 1 :]
    return found
