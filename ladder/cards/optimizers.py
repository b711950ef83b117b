"""The optimizers that a card can name."""

from typing import ClassVar

from pydantic import (
    model_validator,
)

from ladder.cards.schema import Fraction, Strict


class Sgd(Strict):
    """Stochastic gradient descent as torch.optim.SGD; weight decay spares biases and normalisations."""

    name: ClassVar = "sgd"
    momentum: Fraction = 0.0
    nesterov: bool = False
    weight_decay: Fraction = 0.0

    @model_validator(mode="after")
    def _nesterov_has_momentum(self):
        if self.nesterov and not self.momentum:
            raise ValueError("nesterov needs a momentum")
        return self


class Adam(Strict):
    """Adam with its paper's betas (0.9, 0.999) and eps 1e-8."""

    name: ClassVar = "adam"
