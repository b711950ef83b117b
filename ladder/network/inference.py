"""From images to a network's outputs, and from those to what they say."""

import torch

from ladder.pixels.resample import resize


def prepare(images, recipe):
    """Return uint8 images [N, 1, 28, 28] at the recipe's input size, on its device."""
    return resize(images.to(recipe.device), recipe.input.size)


def normalise(images, recipe):
    """Return uint8 images as the float32 the network sees: /255, minus the mean, by the deviation."""
    return images.to(torch.float32).div_(255).sub_(recipe.input.mean).div_(recipe.input.std)


@torch.inference_mode()
def infer(network, images, recipe):
    """Return the network's outputs [N, 10] in eval mode for prepared uint8 images [N, 1, S, S]."""
    network.eval()
    batches = [network(normalise(batch, recipe)) for batch in images.split(500)]
    network.train()
    return torch.cat(batches)


def percent_right(outputs, labels):
    """Return the percentage of outputs [N, 10] whose largest is at the label [N]."""
    return 100 * (outputs.argmax(1) == labels).sum().item() / len(labels)


def probabilities(recipe, outputs):
    """Return outputs [N, 10] as class probabilities, whatever the network ends in."""
    ending = recipe.network[-1].name
    if ending == "softmax":
        return outputs
    return outputs.exp() if ending == "log_softmax" else outputs.softmax(1)
