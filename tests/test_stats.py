"""The verdict's statistics against scipy's own tests, counts by hand, and simulated runs whose truth is known."""

import math

import numpy as np
import pytest
from scipy import stats as scipy_stats

from ladder.evaluation.stats import (
    BETTER,
    OPEN,
    WORSE,
    Interval,
    mcnemar,
    mean_interval,
    new_digits,
    next_run,
    seeds_to_settle,
    smallest_shown,
    verdict,
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
    assert welch(before, after, IMAGE) == pytest.approx((np.mean(after) - np.mean(before), low, high))
    assert (verdict(welch(before, after, IMAGE)) != OPEN) == (oracle.pvalue < 0.05)


def test_welch_trusts_unequal_counts_less_than_scipy():
    before, after = [99.40, 99.44], [99.50, 99.48, 99.52, 99.51, 99.49]
    low, high = scipy_stats.ttest_ind(after, before, equal_var=False).confidence_interval(0.95)
    found = welch(before, after, IMAGE)
    assert found.low <= low
    assert found.high >= high
    assert found.low + found.high == pytest.approx(low + high)


def test_a_lone_seed_borrows_the_other_sides_deviation():
    after = [99.50, 99.44, 99.47, 99.52]
    # the interval for one new value from the same distribution: mean ± t s sqrt(1 + 1/n), n - 1 degrees of freedom
    low, high = scipy_stats.t.interval(0.95, 3, np.mean(after) - 99.40, np.std(after, ddof=1) * math.sqrt(1 + 1 / 4))
    assert welch([99.40], after, IMAGE)[1:] == pytest.approx((low, high))
    assert welch(after, [99.40], IMAGE)[1:] == pytest.approx((-high, -low))


@pytest.mark.parametrize("seeds", [2, 3, 5])
def test_one_more_run_falls_in_its_interval_in_95_percent(seeds):
    random = np.random.default_rng(seeds)
    exact = whole_images = 0
    for _ in range(4000):
        *values, other = random.normal(99.4, 0.06, seeds + 1)
        _, low, high = next_run(values, 1e-9)
        exact += low <= other <= high
        *values, other = np.round([*values, other], 2)
        _, low, high = next_run(values, IMAGE)
        whole_images += low <= other <= high
    assert exact / 4000 == pytest.approx(0.95, abs=0.012)  # 3.5 standard errors
    assert 0.938 <= whole_images / 4000 <= 0.975  # two seeds that coincide by rounding are not believed


def test_one_more_runs_best_epoch_falls_in_its_interval_too():
    """The best of several epochs is not normal: a seed's own level, and 5 late epochs that scatter about it."""
    random = np.random.default_rng(7)
    found = 0
    for _ in range(4000):
        *values, other = np.round(99.4 + random.normal(0, 0.03, 6) + random.normal(0, 0.05, (5, 6)).max(axis=0), 2)
        _, low, high = next_run(values, IMAGE)
        found += low <= other <= high
    assert found / 4000 == pytest.approx(0.95, abs=0.015)


def test_one_more_runs_interval_by_hand():
    """t(0.975, 2) = 4.30265, from a printed table."""
    change, low, high = next_run([99.40, 99.44, 99.48], IMAGE)
    margin = 4.30265 * 0.04 * math.sqrt(4 / 3)
    assert (change, low, high) == pytest.approx((99.44, 99.44 - margin, 99.44 + margin), abs=1e-5)
    rounding = 4.30265 * 0.01 / math.sqrt(12) * math.sqrt(4 / 3)
    assert next_run([99.4] * 3, IMAGE)[1:] == pytest.approx((99.4 - rounding, 99.4 + rounding), abs=1e-5)


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
    assert verdict(welch([99.40, 99.40], [99.41, 99.41], IMAGE)) == OPEN
    assert verdict(welch([99.40] * 5, [99.41] * 5, IMAGE)) == BETTER


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
    false = sum(verdict(welch(*pair, IMAGE)) != OPEN for pair in pairs)
    # the true rate is at most 5 %; 2,000 pairs show it with a standard error of 0.5 points
    assert false / len(pairs) <= 0.06


def test_1000_equal_pairs_of_5_seeds():
    random = np.random.default_rng(0)
    pairs = [(accuracies(random, 5, 0.05), accuracies(random, 5, 0.05)) for _ in range(1000)]
    assert sum(verdict(welch(*pair, IMAGE)) != OPEN for pair in pairs) <= 50


def test_5_seeds_a_side_find_a_tenth_of_a_point():
    random = np.random.default_rng(2)
    found = [welch(accuracies(random, 5, 0.05), accuracies(random, 5, 0.05, 99.5), IMAGE) for _ in range(2000)]
    assert sum(verdict(interval) == BETTER for interval in found) >= 0.75 * 2000
    assert sum(interval.low <= 0.1 <= interval.high for interval in found) / 2000 == pytest.approx(0.95, abs=0.02)


def test_verdict_knows_what_is_better():
    assert verdict(Interval(0.2, 0.1, 0.3)) == BETTER
    assert verdict(Interval(0.2, 0.1, 0.3), direction=-1) == WORSE
    assert verdict(Interval(-0.2, -0.3, -0.1)) == WORSE
    assert verdict(Interval(-0.2, -0.3, -0.1), direction=-1) == BETTER
    assert verdict(Interval(0.1, 0.0, 0.2)) == OPEN


def test_new_digits_is_the_paired_interval_where_seeds_agree():
    random = np.random.default_rng(3)
    before, after = (np.tile(random.random(10_000) < 0.01, (5, 1)) for _ in range(2))
    low, high = scipy_stats.ttest_1samp(100.0 * before[0] - 100.0 * after[0], 0).confidence_interval(0.95)
    assert new_digits(before, after)[1:] == pytest.approx((low, high), rel=0.01)


def test_new_digits_doubts_what_few_images_say():
    """Every seed fixes the same 14 images and breaks the same 6: sure on these images, by chance on others."""
    before, after = np.zeros((2, 5, 10_000), dtype=bool)
    before[:, :14] = after[:, 14:20] = True
    for seed in range(5):
        before[seed, 100 + seed] = after[seed, 200 + seed] = True
    assert verdict(welch([99.85] * 5, [99.93] * 5, IMAGE)) == BETTER
    assert verdict(new_digits(before, after)) == OPEN


def test_new_digits_is_never_narrower_than_the_verdicts_interval():
    random = np.random.default_rng(4)
    for seeds in (2, 3, 5):
        for _ in range(50):
            before, after = random.random((2, seeds, 2000)) < 0.01
            inner = welch(100 - 100 * before.mean(axis=1), 100 - 100 * after.mean(axis=1), 0.05)
            outer = new_digits(before, after)
            assert outer.low <= inner.low + 1e-9
            assert outer.high >= inner.high - 1e-9


@pytest.mark.parametrize("seeds", [3, 5])
def test_new_digits_covers_the_truth_of_new_seeds_and_new_images(seeds):
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
        found = new_digits(before, after)
        covered += found.low <= truth <= found.high
    assert covered / 1000 == pytest.approx(0.95, abs=0.02)


def expit(x):
    return 1 / (1 + np.exp(-x))


def test_mcnemar_by_hand():
    assert mcnemar(8, 2)[0] == pytest.approx(2 * (1 + 10 + 45) / 2**10)
    assert mcnemar(2, 8)[0] == mcnemar(8, 2)[0]
    assert mcnemar(5, 5)[0] == 1
    assert mcnemar(0, 6)[0] == pytest.approx(2 / 2**6)
    assert mcnemar(0, 0) == (1, (0, 0, 0))


def test_mcnemars_interval_and_its_p_agree():
    for fixed in range(31):
        for broken in range(31):
            p, interval = mcnemar(fixed, broken)
            assert interval.low <= interval.change <= interval.high
            assert (verdict(interval) != OPEN) == (p < 0.05)


@pytest.mark.parametrize(("effect", "seeds"), [(2.0, 6), (1.0, 17), (0.8, 26), (0.5, 64), (0.2, 394)])
def test_seeds_to_settle_is_the_textbooks(effect, seeds):
    """J. Cohen's table 2.4.1 for two samples: 80 % power, two-sided 5 %, effects in standard deviations."""
    assert seeds_to_settle(effect * 0.05, 0.05) == seeds
    assert seeds_to_settle(-effect * 0.05, 0.05) == seeds


def test_no_number_of_seeds_settles_no_difference():
    assert seeds_to_settle(0, 0.05) is None
    assert seeds_to_settle(5, 0.05) == 2


def test_smallest_shown_is_found_in_80_percent():
    before, after = [99.35, 99.45, 99.40, 99.36, 99.44], [99.44, 99.36, 99.40, 99.45, 99.35]
    change, deviation = smallest_shown(before, after, IMAGE), np.std(before, ddof=1)
    draws = np.random.default_rng(6).normal(0, deviation, (2, 5, 20_000))
    p = scipy_stats.ttest_ind(draws[0] + change, draws[1], equal_var=True).pvalue
    assert (p < 0.05).mean() == pytest.approx(0.8, abs=0.02)
