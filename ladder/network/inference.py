"""From images to a network's outputs, and from those to an accuracy and to probabilities."""

import functools

import torch
from torch import Tensor

from ladder.cards import Recipe
from ladder.lanes.network import Lanes
from ladder.lanes.pixels import normalise, pixel_values
from ladder.lanes.resample import resize


def prepare(images: Tensor, recipe: Recipe) -> Tensor:
    """Return uint8 images [N, 1, 28, 28] at the recipe's input size, [N, 1, S, S]."""
    return resize(images, recipe.input.size)


def see(network: Lanes, images: Tensor, recipe: Recipe) -> Tensor:
    """Return a network's outputs float32 [N, 10] for prepared uint8 images [N, 1, S, S], on the recipe's device.

    A pixel is divided by 255; then the mean is subtracted, and the result divided by the deviation.
    """
    values = _values(recipe.input.mean, recipe.input.std)
    if recipe.device == "cpu":
        return network(normalise(images, None, values), len(images))
    return network(values.to(recipe.device)[0][images.to(recipe.device, torch.int64)])


@torch.no_grad()
def infer(network: Lanes, images: Tensor, recipe: Recipe) -> Tensor:
    """Return the network's outputs float32 [N, 10] in eval mode for prepared uint8 images [N, 1, S, S]."""
    network.eval()
    batches = [see(network, batch, recipe) for batch in images.split(512)]
    network.train()
    return torch.cat(batches)


def accuracy(outputs: Tensor, labels: Tensor) -> float:
    """Return the percentage of outputs [N, 10] whose largest is at the label, int64 or uint8 [N]."""
    return 100 * (outputs.argmax(1) == labels).sum().item() / len(labels)


def probabilities(recipe: Recipe, outputs: Tensor) -> Tensor:
    """Return outputs [N, 10] as class probabilities [N, 10]: what they are depends on the network's last operation.

    In float64, since processors differ in the last digits of an exponential, and reports keep four.
    """
    return recipe.network[-1].probabilities(outputs.to(torch.float64))


@functools.cache
def _values(mean: float, std: float) -> Tensor:
    return pixel_values(mean, std)
