"""From a recipe's list of layers to a torch network."""

import math
from collections import OrderedDict

import torch
from torch import nn

from ladder.cards import (
    AvgPool,
    BatchNorm,
    Conv,
    Dropout,
    Flatten,
    GlobalAvgPool,
    Linear,
    LogSoftmax,
    MaxPool,
    Relu,
    Softmax,
    Tanh,
    layer_table,
)
from ladder.network.layers import Drop, NormReluDrop, UnpaddedConv


def build(recipe, seed):
    """Return the network of a Recipe in train mode, at PyTorch's default initialisation drawn from `seed`.

    It maps float32 [N, 1, S, S] to [N, 10]. A module is named <number>_<operation>, as the card counts them;
    a ReLU and a dropout that follow a batch normalisation are part of its module.
    """
    rows = layer_table(recipe)
    modules = OrderedDict()
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        position = 0
        while position < len(rows):
            module, used = _module(rows, position)
            modules[f"{position + 1}_{rows[position].layer.name}"] = module
            position += used
    return nn.Sequential(modules).to(recipe.device, memory_format=torch.channels_last)


def _module(rows, position):
    """Return (module, number of layers it does) for the layer at `position` and, after a norm, those it takes in."""
    row = rows[position]
    if not isinstance(row.layer, BatchNorm):
        return _MODULES[type(row.layer)](row), 1
    following = [r.layer for r in rows[position + 1 : position + 3]]
    relu = bool(following) and isinstance(following[0], Relu)
    drop = following[relu] if len(following) > relu and isinstance(following[relu], Dropout) else None
    after_conv = position > 0 and isinstance(rows[position - 1].layer, Conv)
    module = NormReluDrop(row.shape[0], relu, drop.p if drop else 0.0, math.prod(row.shape), in_place=after_conv)
    return module, 1 + relu + (drop is not None)


def _conv(row):
    layer = row.layer
    if layer == Conv(out=layer.out, kernel=3):
        return UnpaddedConv(row.in_shape[0], layer.out)
    return nn.Conv2d(
        row.in_shape[0],
        layer.out,
        layer.kernel,
        stride=layer.stride,
        padding=layer.padding,
        dilation=layer.dilation,
        groups=layer.groups,
        bias=layer.bias,
    )


_MODULES = {
    Conv: _conv,
    Linear: lambda row: nn.Linear(row.in_shape[0], row.layer.out),
    Relu: lambda row: nn.ReLU(),
    Tanh: lambda row: nn.Tanh(),
    Dropout: lambda row: Drop(row.layer.p, math.prod(row.shape)),
    MaxPool: lambda row: nn.MaxPool2d(row.layer.kernel, row.layer.stride),
    AvgPool: lambda row: nn.AvgPool2d(row.layer.kernel, row.layer.stride),
    GlobalAvgPool: lambda row: nn.AdaptiveAvgPool2d(1),
    Flatten: lambda row: nn.Flatten(),
    Softmax: lambda row: nn.Softmax(dim=-1),
    LogSoftmax: lambda row: nn.LogSoftmax(dim=-1),
}
