"""The learning-rate schedules that a card can name, one class each.

A rate is a pure function of where a run is, so a continued run has nothing to catch up with. It is a Python float,
made of sums and products alone: the same bits on every machine.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, ClassVar

from pydantic import Field

from ladder.cards.schema import Count, Fraction, Positive, Word
from ladder.portable_math import cosine


@dataclass(frozen=True)
class Moment:
    """Where a run is before a step: batch `batch` (from 0) of `batches`, in epoch `epoch` (from 1) of `epochs`.

    holdout_losses: one for each epoch before this one; None without a holdout.
    """

    epoch: int
    epochs: int
    batch: int
    batches: int
    holdout_losses: Sequence[float | None] = ()


class Schedule(Word):
    """Sets the learning rate of every step. Reports show the rate of an epoch's first step."""

    watches_holdout: ClassVar[bool] = False

    def rate(self, peak: float, moment: Moment) -> float:
        """Return the learning rate of the step at a Moment. peak: the recipe's learning rate."""
        raise NotImplementedError(f"{self.name} has no meaning yet")


class Constant(Schedule):
    """The learning rate stays as it is."""

    name: ClassVar = "constant"

    def rate(self, peak, moment):
        return peak


class Step(Schedule):
    """Multiply the learning rate by `factor` after every `every` epochs."""

    name: ClassVar = "step"
    every: Count
    factor: Positive

    def rate(self, peak, moment):
        return peak * math.prod([self.factor] * ((moment.epoch - 1) // self.every))


class Plateau(Schedule):
    """Multiply the learning rate by `factor` once the holdout loss has not improved for more than `patience` epochs.

    An improvement is a loss below (1 - 1e-4) times the best so far, as in torch's ReduceLROnPlateau.
    """

    name: ClassVar = "plateau"
    watches_holdout: ClassVar = True
    factor: Positive
    patience: Annotated[int, Field(ge=0)]

    def rate(self, peak, moment):
        best, waited = math.inf, 0
        for loss in moment.holdout_losses:
            best, waited = (loss, 0) if loss < best * (1 - 1e-4) else (best, waited + 1)
            if waited > self.patience:
                peak, waited = peak * self.factor, 0
        return peak


class OneCycle(Schedule):
    """Step by step from `start` up to the peak in the first `warm_up` of all steps, then down to `end`.

    The peak is the recipe's learning rate; `start` and `end` are fractions of it. Both ways are half a cosine, as in
    torch's OneCycleLR; from L. N. Smith and N. Topin, arXiv:1708.07120.
    """

    name: ClassVar = "one_cycle"
    warm_up: Fraction = 0.3
    start: Annotated[float, Field(gt=0, le=1)] = 0.04
    end: Annotated[float, Field(ge=0, le=1)] = 0.0001

    def rate(self, peak, moment):
        step = (moment.epoch - 1) * moment.batches + moment.batch
        return peak * self._fraction(step, moment.epochs * moment.batches)

    def _fraction(self, step: int, steps: int) -> float:
        """Return the fraction of the peak at step `step` (from 0) of `steps`."""
        top = max(self.warm_up * steps - 1, 0.0)  # where the peak is; it may lie between two steps
        if step < top:
            return _between(self.start, 1.0, step / top)
        if step > top:
            return _between(1.0, self.end, (step - top) / (steps - 1 - top))
        return 1.0


def _between(start: float, end: float, progress: float) -> float:
    """Return the value at `progress` (0 to 1) on the way from `start` to `end`, along half a cosine."""
    return start + (end - start) * ((1 - cosine(progress)) / 2)
