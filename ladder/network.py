"""From a recipe's list of layers to a torch network, and from images to its outputs."""

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
)
from ladder.resample import resize
from ladder.shapes import layer_table


def build(recipe, seed):
    """Return the network of a Recipe in train mode, at PyTorch's default initialisation drawn from `seed`.

    It maps float32 [N, 1, S, S] to [N, 10]. Its modules are named <number>_<operation>, as the card counts them.
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        modules = [_MODULES[type(row.layer)](row.layer, row.in_shape[0]) for row in layer_table(recipe)]
    names = [f"{number}_{layer.name}" for number, layer in enumerate(recipe.network, start=1)]
    network = nn.Sequential(OrderedDict(zip(names, modules, strict=True)))
    return network.to(recipe.device, memory_format=torch.channels_last)


def prepare(images, recipe):
    """Return uint8 images [N, 1, 28, 28] at the recipe's input size, on its device."""
    return resize(images.to(recipe.device), recipe.input.size)


def normalise(images, recipe):
    """Return uint8 images as the float32 the network sees: /255, minus the mean, by the deviation."""
    return images.to(torch.float32).div_(255).sub_(recipe.input.mean).div_(recipe.input.std)


@torch.inference_mode()
def outputs(network, images, recipe):
    """Return the network's outputs [N, 10] in eval mode for prepared uint8 images [N, 1, S, S]."""
    network.eval()
    batches = [network(normalise(batch, recipe)) for batch in images.split(500)]
    network.train()
    return torch.cat(batches)


class SeededDropout(nn.Module):
    """Dropout that draws from a generator of its own run, so that no other code can shift its masks."""

    def __init__(self, p):
        super().__init__()
        self.p = p
        self.generator = None

    def forward(self, x):
        if not self.training or self.p == 0:
            return x
        keep = torch.empty_like(x).bernoulli_(1 - self.p, generator=self.generator)
        return x * keep.div_(1 - self.p)


def seed_dropout(network, generator):
    """Let every dropout of a network draw from `generator`."""
    for module in network.modules():
        if isinstance(module, SeededDropout):
            module.generator = generator


def _conv(layer, channels):
    return nn.Conv2d(
        channels,
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
    Linear: lambda layer, features: nn.Linear(features, layer.out),
    BatchNorm: lambda layer, channels: nn.BatchNorm2d(channels),
    Relu: lambda layer, channels: nn.ReLU(),
    Tanh: lambda layer, channels: nn.Tanh(),
    Dropout: lambda layer, channels: SeededDropout(layer.p),
    MaxPool: lambda layer, channels: nn.MaxPool2d(layer.kernel, layer.stride),
    AvgPool: lambda layer, channels: nn.AvgPool2d(layer.kernel, layer.stride),
    GlobalAvgPool: lambda layer, channels: nn.AdaptiveAvgPool2d(1),
    Flatten: lambda layer, channels: nn.Flatten(),
    Softmax: lambda layer, channels: nn.Softmax(dim=-1),
    LogSoftmax: lambda layer, channels: nn.LogSoftmax(dim=-1),
}
