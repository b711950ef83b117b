"""Learning-rate schedules as pure functions of where a run is: a continued run has nothing to catch up with."""

import math

from ladder import cards
from ladder.portable_math import cosine


def learning_rate(recipe, epoch, batch, batches, holdout_losses):
    """Return the learning rate of one step: batch `batch` (from 0) of the `batches` of epoch `epoch` (from 1).

    holdout_losses: those of the epochs before. Python floats, of sums and products alone where it matters: the
    same bits on every machine.
    """
    schedule, peak = recipe.schedule, recipe.learning_rate
    step, steps = (epoch - 1) * batches + batch, recipe.epochs * batches
    if isinstance(schedule, cards.Step):
        return peak * math.prod([schedule.factor] * ((epoch - 1) // schedule.every))
    if isinstance(schedule, cards.Plateau):
        return _plateau(schedule, peak, holdout_losses)
    if isinstance(schedule, cards.OneCycle):
        return peak * _one_cycle(schedule, step, steps)
    return peak


def _plateau(schedule, rate, holdout_losses):
    best, waited = math.inf, 0
    for loss in holdout_losses:
        best, waited = (loss, 0) if loss < best * (1 - 1e-4) else (best, waited + 1)
        if waited > schedule.patience:
            rate, waited = rate * schedule.factor, 0
    return rate


def _one_cycle(schedule, step, steps):
    """Return the fraction of the peak at step `step` (from 0) of `steps`."""
    top = max(schedule.warm_up * steps - 1, 0.0)  # where the peak is; it may lie between two steps
    if step < top:
        return _between(schedule.start, 1.0, step / top)
    if step > top:
        return _between(1.0, schedule.end, (step - top) / (steps - 1 - top))
    return 1.0


def _between(start, end, progress):
    """Return the value at `progress` (0 to 1) on the way from `start` to `end`, along half a cosine."""
    return start + (end - start) * ((1 - cosine(progress)) / 2)
