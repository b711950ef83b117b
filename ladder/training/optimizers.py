"""Optimizers, and their state as tensors by name."""

import torch

from ladder import cards


def optimizer_of(recipe, model):
    """Return the recipe's optimizer. Fused: one pass, and no square root from MKL, whose bits differ by processor.

    Weight decay is for the weights of convolutions and linear layers. Biases and normalisations have none: T. He
    et al., arXiv:1812.01187, section 3.1.
    """
    kind, weights = recipe.optimizer, list(model.parameters())
    groups = [
        {"params": [w for w in weights if w.ndim > 1], "weight_decay": getattr(kind, "weight_decay", 0.0)},
        {"params": [w for w in weights if w.ndim < 2], "weight_decay": 0.0},
    ]
    if isinstance(kind, cards.Sgd):
        return torch.optim.SGD(groups, recipe.learning_rate, momentum=kind.momentum, nesterov=kind.nesterov, fused=True)
    return torch.optim.Adam(groups, recipe.learning_rate, fused=True)


def set_rate(optimizer, rate):
    """Set the learning rate of the next step."""
    for group in optimizer.param_groups:
        group["lr"] = rate


def state_of(model, optimizer):
    """Return the optimizer's tensors by <parameter>.<name>."""
    return {
        f"{name}.{key}": value
        for name, parameter in model.named_parameters()
        for key, value in optimizer.state[parameter].items()
        if value is not None
    }


def restore(model, optimizer, state):
    """Put tensors back that `state_of` gave, in the memory layout they had: fused kernels rely on it."""
    for name, parameter in model.named_parameters():
        prefix = f"{name}."
        optimizer.state[parameter] = {
            key.removeprefix(prefix): (
                torch.empty_like(parameter).copy_(value) if value.ndim else value.to(parameter.device, copy=True)
            )
            for key, value in state.items()
            if key.startswith(prefix)
        }
