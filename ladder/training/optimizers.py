"""A run's optimizer, and its state as tensors by name."""

from torch import Tensor, empty_like, nn
from torch.optim import Optimizer

from ladder.cards import Recipe


def make_optimizer(recipe: Recipe, model: nn.Module) -> Optimizer:
    """Return the recipe's optimizer for a network's parameters."""
    return recipe.optimizer.make(model.parameters(), recipe.learning_rate)


def set_rate(optimizer: Optimizer, rate: float) -> None:
    """Set the learning rate of the next step."""
    for group in optimizer.param_groups:
        group["lr"] = rate


def state_of(model: nn.Module, optimizer: Optimizer) -> dict[str, Tensor]:
    """Return the optimizer's tensors by <parameter>.<name>."""
    return {
        f"{name}.{key}": value
        for name, parameter in model.named_parameters()
        for key, value in optimizer.state[parameter].items()
        if value is not None
    }


def restore(model: nn.Module, optimizer: Optimizer, state: dict[str, Tensor]) -> None:
    """Put tensors back that `state_of` gave, on the parameters' devices."""
    for name, parameter in model.named_parameters():
        prefix = f"{name}."
        optimizer.state[parameter] = {
            key.removeprefix(prefix): _restored(value, parameter)
            for key, value in state.items()
            if key.startswith(prefix)
        }


def _restored(value: Tensor, parameter: nn.Parameter) -> Tensor:
    """Return a copy of a tensor of the state. One of the parameter's shape gets its layout: fused kernels need it."""
    if value.shape == parameter.shape:
        return empty_like(parameter, dtype=value.dtype, requires_grad=False).copy_(value)
    return value.to(parameter.device, copy=True)
