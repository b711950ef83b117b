"""The verdict's statistics against scipy's own tests, counts by hand, and simulated runs whose truth is known."""

import math

import numpy as np
import pytest
from scipy import stats as scipy_stats

from ladder.evaluation.stats import (
    AS_GOOD,
    BETTER,
    OPEN,
    WORSE,
    Difference,
    mean_interval,
    new_writers,
    next_run,
    paired_interval,
    seeds_to_settle,
    smallest_shown,
    welch,
)

IMAGE = 0.01  # points of accuracy, of 10,000


def accuracies(random, seeds, deviation, mean=99.4):
    """Return one accuracy a seed: normal, a whole number of images, as real ones are."""
    return np.round(mean + deviation * random.standard_normal(seeds), 2).tolist()


@pytest.mark.parametrize("seeds", [2, 3, 5, 30])
def test_welch_is_scipys(seeds):
    random = np.random.default_rng(seeds)
    before, after = accuracies(random, seeds, 0.05), accuracies(random, seeds, 0.2, 99.5)
    oracle = scipy_stats.ttest_ind(after, before, equal_var=False)
    low, high = oracle.confidence_interval(0.95)
    assert welch(before, after, IMAGE).interval == pytest.approx((np.mean(after) - np.mean(before), low, high))
    assert (welch(before, after, IMAGE).verdict() not in (OPEN, AS_GOOD)) == (oracle.pvalue < 0.05)


def test_welch_trusts_unequal_counts_less_than_scipy():
    before, after = [99.40, 99.44], [99.50, 99.48, 99.52, 99.51, 99.49]
    low, high = scipy_stats.ttest_ind(after, before, equal_var=False).confidence_interval(0.95)
    found = welch(before, after, IMAGE).interval
    assert found.low <= low
    assert found.high >= high
    assert found.low + found.high == pytest.approx(low + high)


def test_a_lone_seed_borrows_the_other_sides_deviation():
    after = [99.50, 99.44, 99.47, 99.52]
    # the interval for one new value from the same distribution: mean ± t s sqrt(1 + 1/n), n - 1 degrees of freedom
    low, high = scipy_stats.t.interval(0.95, 3, np.mean(after) - 99.40, np.std(after, ddof=1) * math.sqrt(1 + 1 / 4))
    assert welch([99.40], after, IMAGE).interval[1:] == pytest.approx((low, high))
    assert welch(after, [99.40], IMAGE).interval[1:] == pytest.approx((-high, -low))


@pytest.mark.parametrize("seeds", [2, 3, 5])
def test_one_more_run_falls_in_its_interval_in_95_percent(seeds):
    random = np.random.default_rng(seeds)
    exact = whole_images = 0
    for _ in range(4000):
        *values, other = random.normal(99.4, 0.06, seeds + 1)
        _, low, high = next_run(values, 1e-9).interval
        exact += low <= other <= high
        *values, other = np.round([*values, other], 2)
        _, low, high = next_run(values, IMAGE).interval
        whole_images += low <= other <= high
    assert exact / 4000 == pytest.approx(0.95, abs=0.012)  # 3.5 standard errors
    assert 0.938 <= whole_images / 4000 <= 0.975  # two seeds that coincide by rounding are not believed


def test_one_more_runs_best_epoch_falls_in_its_interval_too():
    """The best of several epochs is not normal: a seed's own level, and 5 late epochs that scatter about it."""
    random = np.random.default_rng(7)
    found = 0
    for _ in range(4000):
        *values, other = np.round(99.4 + random.normal(0, 0.03, 6) + random.normal(0, 0.05, (5, 6)).max(axis=0), 2)
        _, low, high = next_run(values, IMAGE).interval
        found += low <= other <= high
    assert found / 4000 == pytest.approx(0.95, abs=0.015)


def test_one_more_runs_interval_by_hand():
    """t(0.975, 2) = 4.30265, from a printed table."""
    change, low, high = next_run([99.40, 99.44, 99.48], IMAGE).interval
    margin = 4.30265 * 0.04 * math.sqrt(4 / 3)
    assert (change, low, high) == pytest.approx((99.44, 99.44 - margin, 99.44 + margin), abs=1e-5)
    rounding = 4.30265 * 0.01 / math.sqrt(12) * math.sqrt(4 / 3)
    assert next_run([99.4] * 3, IMAGE).interval[1:] == pytest.approx((99.4 - rounding, 99.4 + rounding), abs=1e-5)


def test_a_means_interval_is_scipys_and_no_narrower_than_rounding():
    values = [99.31, 99.40, 99.44]
    mean, deviation, low, high = mean_interval(values, IMAGE)
    assert (mean, deviation) == pytest.approx((np.mean(values), np.std(values, ddof=1)))
    expected = scipy_stats.t.interval(0.95, 2, loc=mean, scale=scipy_stats.sem(values))
    assert (low, high) == pytest.approx(expected)
    rounding = 4.30265 * 0.01 / math.sqrt(12) / math.sqrt(3)
    assert mean_interval([99.4] * 3, IMAGE)[1:] == pytest.approx((0, 99.4 - rounding, 99.4 + rounding), abs=1e-5)
    assert mean_interval([99.4], IMAGE) == (99.4, None, None, None)


def test_coinciding_seeds_do_not_prove_that_there_is_no_noise():
    assert welch([99.40, 99.40], [99.41, 99.41], IMAGE).verdict() == AS_GOOD
    assert welch([99.40] * 5, [99.41] * 5, IMAGE).verdict() == BETTER


@pytest.mark.parametrize(
    ("before", "after", "deviation"),
    [(2, 2, 0.01), (3, 3, 0.01), (5, 5, 0.01)]
    + [
        (*counts, 0.05) for counts in [(2, 2), (3, 3), (5, 5), (2, 3), (2, 5), (5, 2), (3, 5), (2, 10), (5, 10), (1, 5)]
    ],
)
def test_equal_runs_get_a_verdict_in_at_most_5_percent(before, after, deviation):
    random = np.random.default_rng(1)
    pairs = [(accuracies(random, before, deviation), accuracies(random, after, deviation)) for _ in range(2000)]
    false = sum(welch(*pair, IMAGE).verdict() not in (OPEN, AS_GOOD) for pair in pairs)
    # the true rate is at most 5 %; 2,000 pairs show it with a standard error of 0.5 points
    assert false / len(pairs) <= 0.06


def test_1000_equal_pairs_of_5_seeds():
    random = np.random.default_rng(0)
    pairs = [(accuracies(random, 5, 0.05), accuracies(random, 5, 0.05)) for _ in range(1000)]
    assert sum(welch(*pair, IMAGE).verdict() not in (OPEN, AS_GOOD) for pair in pairs) <= 50


def test_5_seeds_a_side_find_a_tenth_of_a_point():
    random = np.random.default_rng(2)
    found = [welch(accuracies(random, 5, 0.05), accuracies(random, 5, 0.05, 99.5), IMAGE) for _ in range(2000)]
    assert sum(of.verdict() == BETTER for of in found) >= 0.75 * 2000
    assert sum(of.interval.low <= 0.1 <= of.interval.high for of in found) / 2000 == pytest.approx(0.95, abs=0.02)


def test_a_verdict_is_better_worse_as_good_or_open():
    """t(0.975, 10) = 2.228 and t(0.95, 10) = 1.812, from a printed table."""
    for change, error, expected in (
        (0.23, 0.1, BETTER),
        (-0.23, 0.1, WORSE),
        (0.22, 0.1, OPEN),
        (0.02, 0.04, AS_GOOD),  # 0.02 + 1.812 * 0.04 = 0.0925
        (-0.03, 0.04, OPEN),
        (0.05, 0.02, BETTER),  # both: it is small, and there
    ):
        assert Difference(change, error, 10).verdict() == expected
    assert Difference(-0.03, 0.04, 10).margin == pytest.approx(0.03 + 1.812 * 0.04, abs=1e-4)


def test_p_and_the_chance_to_say_it_again_are_scipys():
    found = Difference(0.1, 0.04, 8)
    assert found.p == pytest.approx(2 * scipy_stats.t.sf(2.5, 8))
    draws = np.random.default_rng(8).normal(0, 0.04 * math.sqrt(5 / 2), (2, 5, 40_000))
    again = scipy_stats.ttest_ind(draws[0] + 0.1, draws[1])
    assert found.again == pytest.approx(((again.pvalue < 0.05) & (again.statistic > 0)).mean(), abs=0.01)


def test_new_writers_is_the_paired_interval_where_seeds_agree():
    random = np.random.default_rng(3)
    before, after = (np.tile(random.random(10_000) < 0.01, (5, 1)) for _ in range(2))
    low, high = scipy_stats.ttest_1samp(100.0 * before[0] - 100.0 * after[0], 0).confidence_interval(0.95)
    assert new_writers(before, after).interval[1:] == pytest.approx((low, high), rel=0.01)


def test_new_writers_doubts_what_few_images_say():
    """Every seed fixes the same 14 images and breaks the same 6: sure on these images, by chance on others."""
    before, after = np.zeros((2, 5, 10_000), dtype=bool)
    before[:, :14] = after[:, 14:20] = True
    for seed in range(5):
        before[seed, 100 + seed] = after[seed, 200 + seed] = True
    assert welch([99.85] * 5, [99.93] * 5, IMAGE).verdict() == BETTER
    assert new_writers(before, after).verdict() == OPEN


def test_new_writers_is_never_narrower_than_the_verdicts_interval():
    random = np.random.default_rng(4)
    for seeds in (2, 3, 5):
        for _ in range(50):
            before, after = random.random((2, seeds, 2000)) < 0.01
            inner = welch(100 - 100 * before.mean(axis=1), 100 - 100 * after.mean(axis=1), 0.05).interval
            outer = new_writers(before, after).interval
            assert outer.low <= inner.low + 1e-9
            assert outer.high >= inner.high - 1e-9


@pytest.mark.parametrize("seeds", [3, 5])
def test_it_covers_the_truth_of_new_seeds_and_new_images(seeds):
    """Hard images, 3 in 100, are each misread at a rate of their own, on a scale of log odds.

    The network after shifts each rate by its own amount, and each seed shifts all of its rates by another.
    """
    random = np.random.default_rng(seeds)
    logits, shifts = (random.normal(-1.5, 2, 200_000), random.normal(-0.5, 1, 200_000))
    seed_shifts = random.normal(0, 0.1, 200_000)
    before_rate, after_rate = expit(logits + seed_shifts), expit(logits + shifts + seed_shifts)
    truth = 100 * 0.03 * (before_rate.mean() - after_rate.mean())
    covered = 0
    for _ in range(1000):
        hard = random.random(10_000) < 0.03
        logit, shift = np.full((2, 10_000), -np.inf)
        logit[hard], shift[hard] = random.normal(-1.5, 2, hard.sum()), random.normal(-0.5, 1, hard.sum())
        of_seeds = random.normal(0, 0.1, (2, seeds, 1))
        before, after = random.random((2, seeds, 10_000)) < expit(np.stack([logit, logit + shift])[:, None] + of_seeds)
        found = new_writers(before, after).interval
        covered += found.low <= truth <= found.high
    assert covered / 1000 == pytest.approx(0.95, abs=0.02)


def expit(x):
    return 1 / (1 + np.exp(-x))


def test_images_of_one_writer_that_change_together_widen_the_interval():
    """100 writers of 100 images, which are fixed together or not: what counts is 100 draws, not 10,000."""
    random = np.random.default_rng(9)
    groups = np.repeat(np.arange(100), 100)
    before, after = np.zeros((2, 5, 10_000), dtype=bool)
    fixed = random.random(100) < 0.05
    before[:] = fixed[groups]
    low, high = scipy_stats.ttest_1samp(100.0 * fixed, 0).confidence_interval(0.95)
    assert new_writers(before, after, groups).interval[1:] == pytest.approx((low, high), rel=0.01)
    assert new_writers(before, after).interval.low > new_writers(before, after, groups).interval.low + 2


def test_singletons_are_no_clusters():
    random = np.random.default_rng(10)
    before, after = random.random((2, 5, 2000)) < 0.02
    alone, shuffled = new_writers(before, after), new_writers(before, after, random.permutation(2000))
    assert (alone.change, alone.error) == pytest.approx((shuffled.change, shuffled.error))


@pytest.mark.parametrize("seeds", [3, 5])
def test_the_interval_for_new_writers_covers_the_truth(seeds):
    """Each writer shifts the chance of an error before and after by amounts of their own, each seed all by another."""
    random = np.random.default_rng(seeds)

    def rates(writers, of_seeds):
        return expit(-4.5 + writers + of_seeds)

    def draw(count):
        hand = random.normal(0, 1, count)
        return hand, hand + random.normal(-0.3, 0.4, count)

    hand, other = draw(400_000)
    of_seeds = random.normal(0, 0.1, 400_000)
    truth = 100 * (rates(hand, of_seeds) - rates(other, of_seeds)).mean()
    covered, groups = 0, np.repeat(np.arange(100), 30)
    for _ in range(1000):
        of_writers = [of[groups] for of in draw(100)]
        sides = [
            random.random((seeds, 3000)) < rates(of_side, random.normal(0, 0.1, (seeds, 1))) for of_side in of_writers
        ]
        found = new_writers(*sides, groups).interval
        covered += found.low <= truth <= found.high
    assert covered / 1000 == pytest.approx(0.95, abs=0.02)


def runs_of(both, before, after, neither):
    """Return two runs, bool [images], by how many images both, only one, or neither of them misreads."""
    counts = (both, before, after, neither)
    return np.repeat([True, True, False, False], counts), np.repeat([True, False, True, False], counts)


def test_the_paired_interval_is_the_published_one():
    """M. Fagerland, S. Lydersen, P. Laake, "Recommended tests and confidence intervals for paired binomial
    proportions", 2014: 1, 1, 7, 12 of 21 give -0.286 [-0.507, -0.026]."""
    found = paired_interval(*runs_of(1, 1, 7, 12))
    assert found == pytest.approx((-28.57, -50.7, -2.6), abs=0.05)


@pytest.mark.parametrize("rates", [(10, 30), (5, 40), (2, 60), (0, 60)])
def test_the_paired_interval_covers_what_one_from_mcnemars_test_does_not(rates):
    """True rates of fixed and broken images in 10,000, with 40 that both runs misread."""
    random = np.random.default_rng(sum(rates))
    truth, covered = (rates[0] - rates[1]) / 100, 0
    for fixed, broken in random.poisson(rates, (1000, 2)).tolist():
        found = paired_interval(*runs_of(40, fixed, broken, 9960 - fixed - broken))
        covered += found.low <= truth <= found.high
    assert covered / 1000 >= 0.93


@pytest.mark.parametrize(("effect", "seeds"), [(2.0, 6), (1.0, 17), (0.8, 26), (0.5, 64), (0.2, 394)])
def test_seeds_to_settle_is_the_textbooks(effect, seeds):
    """J. Cohen's table 2.4.1 for two samples: 80 % power, two-sided 5 %, effects in standard deviations."""
    assert seeds_to_settle(effect * 0.05, 0.05) == seeds
    assert seeds_to_settle(-effect * 0.05, 0.05) == seeds


def test_no_number_of_seeds_settles_no_difference():
    assert seeds_to_settle(0, 0.05) is None
    assert seeds_to_settle(5, 0.05) == 3


def test_smallest_shown_is_found_in_at_least_80_percent():
    before, after = [99.35, 99.45, 99.40, 99.36, 99.44], [99.44, 99.36, 99.40, 99.45, 99.35]
    change, deviation = smallest_shown(welch(before, after, IMAGE).error, 5), np.std(before, ddof=1)
    draws = np.random.default_rng(6).normal(0, deviation, (2, 5, 20_000))
    p = scipy_stats.ttest_ind(draws[0] + change, draws[1], equal_var=False).pvalue
    assert 0.8 <= (p < 0.05).mean() <= 0.9
