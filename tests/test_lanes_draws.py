"""Random numbers: their bits are known, their distributions are tested, dropout's draw against a walk in Python."""

import itertools
from fractions import Fraction

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from ladder.lanes import draws, dropout

CHANCES = (1 / 1024, 0.01, 0.05, 0.1, 0.5, 0.97, 1 - 2**-53)
LEAST_P_VALUE = 1e-4  # the seeds are fixed, so a test that passes once passes always
WORDS = [6327674909372274842, 5699390506257785896, 7944158614352147216]
UNIFORM = [0.8326358541844076, 0.5752217021334766, 0.32061935875637126]
PERMUTATION = [9, 5, 2, 3, 6, 8, 1, 4, 0, 7]
DROPPED = [1, 17, 25, 33, 37, 41, 45, 50, 53]


def test_streams_are_the_known_ones():
    """These change only where a run's random numbers change: by another NumPy, or by a change of draws.py."""
    words = draws.generator(7, "weights", "1_conv.weight").random_raw(3).tolist()
    assert words == WORDS
    assert draws.uniform(3, draws.generator(7, 1)).tolist() == UNIFORM
    assert draws.permutation(10, draws.generator(7, 1)).tolist() == PERMUTATION
    assert dropout.dropped(0.1, 60, draws.generator(7, 1)).tolist() == DROPPED


def test_a_generator_depends_on_every_part_and_on_nothing_else():
    parts = [(1, 2, 3), (1, 2, 4), (1, 3, 3), (2, 2, 3), (1, 2), ("1", 23), (12, 3)]
    words = [draws.generator(*each).random_raw() for each in parts]
    assert len(set(words)) == len(parts)
    assert words == [draws.generator(*each).random_raw() for each in parts]


def test_uniforms_are_multiples_of_two_to_minus_53_spread_evenly():
    numbers = draws.uniform(100_000, draws.generator("uniform"))
    assert numbers.dtype == torch.float64
    assert ((numbers >= 0) & (numbers < 1)).all()
    assert torch.equal(numbers * 2**53, (numbers * 2**53).floor())
    assert stats.kstest(numbers.numpy(), "uniform").pvalue > LEAST_P_VALUE


@pytest.mark.parametrize("count", [0, 1, 2, 60_000])
def test_a_permutation_has_every_number_once(count):
    order = draws.permutation(count, draws.generator("order", count))
    assert order.dtype == torch.int64
    assert torch.equal(order.sort().values, torch.arange(count))


def test_every_permutation_is_as_likely_as_any_other():
    generator = draws.generator("orders")
    orders = [tuple(draws.permutation(4, generator).tolist()) for _ in range(6000)]
    counts = [orders.count(each) for each in itertools.permutations(range(4))]
    assert sum(counts) == 6000
    assert stats.chisquare(counts).pvalue > LEAST_P_VALUE


@pytest.mark.parametrize("p", CHANCES)
def test_the_table_has_the_geometric_distribution(p):
    """Adding up the table's shares gives back the probability of each distance, to 2**-32."""
    amounts = [0] * dropout.COLUMNS
    for column, entry in enumerate(dropout._columns(p).tolist()):
        own, other = entry >> dropout.COLUMN_BITS, entry % dropout.COLUMNS
        amounts[column] += own
        amounts[other] += dropout.FULL - own
    keep = 1 - Fraction(p)
    assert sum(amounts) == dropout.ONE
    for distance in range(dropout.FAR):
        assert abs(Fraction(amounts[distance], dropout.ONE) - keep**distance * Fraction(p)) <= Fraction(1, dropout.ONE)
    assert abs(Fraction(amounts[dropout.FAR], dropout.ONE) - keep**dropout.FAR) <= Fraction(1, dropout.ONE)


def walked(p, elements, generator):
    """Return what `dropped` should, element by element from the same bits, in Python."""
    columns, place, places = dropout._columns(p).tolist(), 0, []
    while True:
        word = generator.random_raw()
        for number in (word % 2**32, word // 2**32):
            column, within = divmod(number, dropout.FULL)
            own, other = divmod(columns[column], dropout.COLUMNS)
            outcome = column if within < own else other
            place += outcome
            if place >= elements:
                return places
            if outcome < dropout.FAR:
                places.append(place)
                place += 1


@settings(deadline=None, max_examples=100)
@given(p=st.sampled_from(CHANCES) | st.floats(1 / 1024, 0.999), elements=st.integers(0, 5000), seed=st.integers(0))
def test_what_is_dropped_is_what_a_walk_in_python_finds(p, elements, seed):
    assert dropout.dropped(p, elements, draws.generator(seed)).tolist() == walked(p, elements, draws.generator(seed))


def test_draws_from_one_generator_follow_one_another():
    together, alone = draws.generator(5), draws.generator(5)
    for elements in (100, 1, 1000):
        assert dropout.dropped(0.05, elements, together).tolist() == walked(0.05, elements, alone)


@pytest.mark.parametrize("p", [1 / 1024, 0.05, 0.5, 0.97])
def test_each_element_is_dropped_with_probability_p_whatever_the_one_before(p):
    elements = 400_000
    places = dropout.dropped(p, elements, draws.generator("share", p))
    dropped = np.zeros(elements, bool)
    dropped[places] = True
    assert places.dtype == torch.int64
    assert stats.binomtest(int(dropped.sum()), elements, p).pvalue > LEAST_P_VALUE
    after = dropped[1:][dropped[:-1]]
    assert stats.binomtest(int(after.sum()), len(after), p).pvalue > LEAST_P_VALUE
    by_part = dropped.reshape(16, -1).sum(1)
    assert stats.chisquare(by_part).pvalue > LEAST_P_VALUE


@pytest.mark.parametrize("p", [0.0, 1.0, 1e-4, -0.1, 1.5])
def test_a_probability_that_the_table_cannot_hold_is_an_error(p):
    with pytest.raises(ValueError, match="dropout draws with a probability from 1/1024 to below 1"):
        dropout.dropped(p, 10, draws.generator(0))
