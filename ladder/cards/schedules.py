"""The learning-rate schedules that a card can name."""

from typing import Annotated, ClassVar

from pydantic import (
    Field,
)

from ladder.cards.schema import Count, Fraction, Positive, Strict


class Constant(Strict):
    name: ClassVar = "constant"


class Step(Strict):
    """Multiply the learning rate by `factor` after every `every` epochs."""

    name: ClassVar = "step"
    every: Count
    factor: Positive


class Plateau(Strict):
    """Multiply the learning rate by `factor` once the holdout loss has not improved for more than `patience` epochs.

    An improvement is a loss below (1 - 1e-4) times the best so far, as in torch's ReduceLROnPlateau.
    """

    name: ClassVar = "plateau"
    factor: Positive
    patience: Annotated[int, Field(ge=0)]


class OneCycle(Strict):
    """Step by step from `start` up to the peak in the first `warm_up` of all steps, then down to `end`.

    The peak is the recipe's learning rate; start, end: fractions of it; both ways are half a cosine. As torch's
    OneCycleLR; from L. N. Smith and N. Topin, arXiv:1708.07120.
    """

    name: ClassVar = "one_cycle"
    warm_up: Fraction = 0.3
    start: Annotated[float, Field(gt=0, le=1)] = 0.04
    end: Annotated[float, Field(ge=0, le=1)] = 0.0001
