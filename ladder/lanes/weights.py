"""Starting weights: the distribution of PyTorch's default initialisation, drawn from our own random numbers."""

import math

import numpy as np
import torch
from torch import nn

from ladder.lanes.draws import generator, uniform


def start(network: nn.Module, seed: int) -> None:
    """Set all weights of a network of convolutions, linear layers and normalisations, in place, as drawn from `seed`.

    Every weight and bias has a stream of its own, by its name in the state_dict. A normalisation starts as a scale of 1
    and a shift of 0. A list of weights without a bias, such as PReLU's, stays at the one number that torch gives it.
    Raises TypeError for a module with other parameters.
    """
    with torch.no_grad():
        for name, module in network.named_modules():
            own = dict(module.named_parameters(recurse=False))
            weight, bias = own.get("weight"), own.get("bias")
            is_drawn_by_torch = bias is None and weight is not None and weight.ndim == 1 and len(weight.unique()) > 1
            if not own.keys() <= {"weight", "bias"} or is_drawn_by_torch:
                raise TypeError(f"{name}: how do {', '.join(own)} of a {type(module).__name__} start?")
            if weight is not None and weight.ndim > 1:
                inputs = math.prod(weight.shape[1:])
                for part, tensor in own.items():
                    tensor.copy_(spread(tensor.shape, inputs, generator(seed, "weights", f"{name}.{part}")))
            elif bias is not None:
                weight.fill_(1)
                bias.zero_()


def spread(shape: torch.Size, inputs: int, generator: np.random.BitGenerator) -> torch.Tensor:
    """Return float32 numbers, uniform in ±1/sqrt(inputs): how many inputs are weighed and added up for one output.

    That is what torch.nn gives weights and biases of convolutions and linear layers: kaiming_uniform_ of K. He et al.,
    arXiv:1502.01852, with a = sqrt(5).
    """
    numbers = 2 * uniform(math.prod(shape), generator) - 1
    return (numbers * (1 / math.sqrt(inputs))).to(torch.float32).view(shape)
