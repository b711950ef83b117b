"""Learning rates against torch's own schedulers, step for step and epoch for epoch."""

import math
from fractions import Fraction

import pytest
import torch
from projects import small
from torch import nn

from ladder.cards import Moment
from ladder.portable_math import cosine, sine


def torch_rates(make, losses):
    parameter = nn.Parameter(torch.zeros(1))
    optimizer = torch.optim.SGD([parameter], lr=0.5)
    scheduler, rates = make(optimizer), []
    for loss in losses:
        rates.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        scheduler.step(*([loss] if isinstance(scheduler, torch.optim.lr_scheduler.ReduceLROnPlateau) else []))
    return rates


def our_rates(schedule, losses):
    """Return the rates of the last of three batches of each epoch: the same for all of an epoch."""
    recipe = small(schedule=schedule, learning_rate=0.5)
    moments = [Moment(number, recipe.epochs, 2, 3, losses[: number - 1]) for number in range(1, len(losses) + 1)]
    return [recipe.schedule.rate(recipe.learning_rate, moment) for moment in moments]


def test_step_schedule_is_torchs():
    expected = torch_rates(lambda o: torch.optim.lr_scheduler.StepLR(o, 6, 0.1), range(15))
    assert our_rates({"step": {"every": 6, "factor": 0.1}}, list(range(15))) == pytest.approx(expected)


@pytest.mark.parametrize("patience", [0, 1, 2])
def test_plateau_schedule_is_torchs(patience):
    generator = torch.Generator().manual_seed(patience)
    for _ in range(20):
        losses = [1 / n + 0.3 * torch.rand((), generator=generator).item() for n in range(1, 20)]
        losses[7:10] = [losses[6] * factor for factor in (1, 0.99995, 0.9998)]  # about the threshold
        expected = torch_rates(
            lambda o: torch.optim.lr_scheduler.ReduceLROnPlateau(o, factor=0.5, patience=patience), losses
        )
        assert our_rates({"plateau": {"factor": 0.5, "patience": patience}}, losses) == pytest.approx(expected)


def test_learning_rate_stays_where_nothing_schedules_it():
    assert our_rates("constant", [1.0] * 5) == [0.5] * 5


EPOCHS, BATCHES = 5, 21


def our_steps(schedule, epochs=EPOCHS, batches=BATCHES):
    recipe = small(schedule=schedule, learning_rate=0.5, epochs=epochs)
    moments = [Moment(epoch, epochs, batch, batches) for epoch in range(1, epochs + 1) for batch in range(batches)]
    return [recipe.schedule.rate(recipe.learning_rate, moment) for moment in moments]


@pytest.mark.parametrize(("warm_up", "start", "end"), [(0.3, 0.04, 0.0001), (0.23, 0.2, 0.07), (0.999, 1.0, 0.5)])
def test_one_cycle_is_torchs(warm_up, start, end):
    def make(optimizer):
        return torch.optim.lr_scheduler.OneCycleLR(
            optimizer,
            0.5,
            EPOCHS * BATCHES,
            pct_start=warm_up,
            cycle_momentum=False,
            div_factor=1 / start,
            final_div_factor=start / end,
        )

    arguments = {"warm_up": warm_up, "start": start, "end": end}
    expected = torch_rates(make, range(EPOCHS * BATCHES - 1))
    assert our_steps({"one_cycle": arguments})[:-1] == pytest.approx(expected, rel=1e-11)
    assert our_steps({"one_cycle": arguments})[-1] == pytest.approx(0.5 * end, rel=1e-11)


def test_one_cycle_without_a_warm_up_starts_at_the_peak_and_the_shortest_runs_have_one_too():
    assert our_steps({"one_cycle": {"warm_up": 0.0, "end": 0.0}}, 1, 5) == pytest.approx(
        [0.5, 0.25 + 0.25 * 0.5**0.5, 0.25, 0.25 - 0.25 * 0.5**0.5, 0]
    )
    assert our_steps("one_cycle", 1, 1) == [0.5]
    assert our_steps("one_cycle", 1, 2) == pytest.approx([0.5, 0.00005])


def test_cosine_and_sine_are_the_c_librarys_for_floats_and_tensors():
    places = torch.linspace(-1, 1, 10001, dtype=torch.float64)
    for ours, theirs in ((cosine, math.cos), (sine, math.sin)):
        expected = torch.tensor([theirs(math.pi * x) for x in places.tolist()], dtype=torch.float64)
        torch.testing.assert_close(ours(places), expected, rtol=0, atol=2e-15)
        assert ours(places).tolist() == [ours(x) for x in places.tolist()]


def test_cosine_has_the_bits_of_exact_sums_and_products():
    """Each sum and product, made as fractions and rounded once, is what any machine with IEEE 754 has to compute."""

    def times(a, b):
        return float(Fraction(a) * Fraction(b))

    for x in (0.1, 1 / 3, -0.7, 0.999):
        square = times(times(x, x), times(math.pi, math.pi))
        total = 1.0
        for n in range(28, 0, -2):
            total = float(1 - Fraction(times(total, times(square, 1 / (n * (n - 1))))))
        assert cosine(x) == total
