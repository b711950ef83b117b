"""The optimizers that a card can name, one class each: arguments, and the optimizer they mean.

On the CPU that is lanes' (ladder/lanes/optimizers.py), on a GPU torch's own.
"""

from collections.abc import Iterable
from typing import TYPE_CHECKING, ClassVar

from pydantic import model_validator

from ladder.cards.schema import Fraction, Word

if TYPE_CHECKING:
    from torch import nn
    from torch.optim import Optimizer as TorchOptimizer


class Optimizer(Word):
    """Moves the weights by their gradients: on the CPU by lanes' optimizers, elsewhere by torch's own."""

    def make(self, parameters: "Iterable[nn.Parameter]", rate: float) -> "TorchOptimizer":
        """Return the torch optimizer of a network's parameters at the learning rate `rate`."""
        raise NotImplementedError(f"{self.name} has no meaning in torch yet")


class Sgd(Optimizer):
    """Stochastic gradient descent as torch.optim.SGD; biases and normalisations have no weight decay."""

    name: ClassVar = "sgd"
    momentum: Fraction = 0.0
    nesterov: bool = False
    weight_decay: Fraction = 0.0

    @model_validator(mode="after")
    def _nesterov_has_momentum(self):
        if self.nesterov and not self.momentum:
            raise ValueError("nesterov needs a momentum")
        return self

    def make(self, parameters, rate):
        groups = _groups(parameters, self.weight_decay)
        return _kind("SGD", groups)(groups, rate, momentum=self.momentum, nesterov=self.nesterov)


class Adam(Optimizer):
    """Adam with the betas (0.9, 0.999) and eps 1e-8 of its paper, arXiv:1412.6980."""

    name: ClassVar = "adam"

    def make(self, parameters, rate):
        groups = _groups(parameters, 0.0)
        return _kind("Adam", groups)(groups, rate)


def _groups(parameters: "Iterable[nn.Parameter]", weight_decay: float) -> list[dict]:
    """Return a torch optimizer's two groups: weights, which decay, then biases and normalisations, which do not.

    That split is by T. He et al., arXiv:1812.01187, section 3.1.
    """
    parameters = list(parameters)
    return [
        {"params": [weight for weight in parameters if weight.ndim > 1], "weight_decay": weight_decay},
        {"params": [weight for weight in parameters if weight.ndim < 2], "weight_decay": 0.0},
    ]


def _kind(name: str, groups: list[dict]) -> "type[TorchOptimizer]":
    """Return the class of that name: lanes' where all parameters are on the CPU, else torch's own."""
    from torch import optim

    from ladder.lanes import optimizers

    on_cpu = all(parameter.is_cpu for group in groups for parameter in group["params"])
    return getattr(optimizers if on_cpu else optim, name)
