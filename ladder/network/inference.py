"""From images to a network's outputs, and from those to an accuracy and to probabilities."""

import torch
from torch import Tensor, nn

from ladder.cards import Recipe
from ladder.pixels.resample import resize


def prepare(images: Tensor, recipe: Recipe) -> Tensor:
    """Return uint8 images [N, 1, 28, 28] at the recipe's input size [N, 1, S, S], on its device."""
    return resize(images.to(recipe.device), recipe.input.size)


def normalise(images: Tensor, recipe: Recipe) -> Tensor:
    """Return uint8 images as the float32 the network sees: /255, minus the mean, divided by the deviation."""
    return images.to(torch.float32).div_(255).sub_(recipe.input.mean).div_(recipe.input.std)


@torch.inference_mode()
def infer(network: nn.Module, images: Tensor, recipe: Recipe) -> Tensor:
    """Return the network's outputs float32 [N, 10] in eval mode for prepared uint8 images [N, 1, S, S]."""
    network.eval()
    batches = [network(normalise(batch, recipe)) for batch in images.split(500)]
    network.train()
    return torch.cat(batches)


def accuracy(outputs: Tensor, labels: Tensor) -> float:
    """Return the percentage of outputs [N, 10] whose largest is at the label, int64 or uint8 [N]."""
    return 100 * (outputs.argmax(1) == labels).sum().item() / len(labels)


def probabilities(recipe: Recipe, outputs: Tensor) -> Tensor:
    """Return outputs [N, 10] as class probabilities [N, 10]: what they are depends on the network's last operation."""
    return recipe.network[-1].probabilities(outputs)
