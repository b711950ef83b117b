"""From images to a network's outputs, and from those to an accuracy and to probabilities."""

import functools

import torch
from torch import Tensor

from ladder.cards import Recipe
from ladder.lanes.network import Lanes
from ladder.lanes.pixels import normalise, pixel_values
from ladder.lanes.resample import resize


def prepare(images: Tensor, recipe: Recipe) -> Tensor:
    """Return uint8 images [N, C, s, s] at the recipe's input size, [N, C, S, S]."""
    return resize(images, recipe.input.size)


def see(network: Lanes, images: Tensor, recipe: Recipe) -> Tensor:
    """Return a network's outputs float32 [N, classes] for prepared uint8 images [N, C, S, S], on the recipe's device.

    A pixel is divided by 255; then the mean of its channel is subtracted, and the result divided by the deviation.
    """
    values = values_of(recipe)
    if recipe.device == "cpu":
        return network(normalise(images, None, values), len(images))
    values, images = values.to(recipe.device), images.to(recipe.device, torch.int64)
    return network(torch.stack([values[channel][images[:, channel]] for channel in range(len(values))], dim=1))


def values_of(recipe: Recipe) -> Tensor:
    """Return float32 [C, 256]: what a byte of each channel becomes; see `pixel_values`."""
    mean, std = (tuple(of) if isinstance(of, list) else (of,) for of in (recipe.input.mean, recipe.input.std))
    return _values(mean, std, recipe.images.channels)


@torch.no_grad()
def infer(network: Lanes, images: Tensor, recipe: Recipe) -> Tensor:
    """Return the network's outputs float32 [N, classes] in eval mode for prepared uint8 images [N, C, S, S]."""
    network.eval()
    batches = [see(network, batch, recipe) for batch in images.split(512)]
    network.train()
    return torch.cat(batches)


def accuracy(outputs: Tensor, labels: Tensor) -> float:
    """Return the percentage of outputs [N, classes] whose largest is at the label, whole numbers [N]."""
    return 100 * (outputs.argmax(1) == labels).sum().item() / len(labels)


def probabilities(recipe: Recipe, outputs: Tensor) -> Tensor:
    """Return outputs [N, classes] as class probabilities [N, classes].

    What outputs are depends on the network's last operation. In float64, since processors differ in the last digits
    of an exponential, and reports keep four.
    """
    return recipe.network[-1].probabilities(outputs.to(torch.float64))


@functools.cache
def _values(mean: tuple[float, ...], std: tuple[float, ...], channels: int) -> Tensor:
    return pixel_values(mean, std).expand(channels, 256).contiguous()
