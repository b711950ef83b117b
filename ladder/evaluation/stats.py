"""Statistics of repeated runs, and whether the difference between two sets of them is real.

Two kinds of noise, two questions. `welch`: would training again, with other random seeds, say the same on these test
images? `new_digits`: would it hold on other test images too? A change is always after minus before.
"""

import math
from collections.abc import Sequence
from statistics import fmean, stdev, variance
from typing import NamedTuple

import numpy as np
from scipy import special  # not scipy.stats, which takes half a second to import

CONFIDENCE = 0.95
POWER = 0.8
MOST_SEEDS = 1000  # a side; beyond it nobody would train to find out
BETTER, WORSE, OPEN = "better", "worse", "no difference shown"


class Interval(NamedTuple):
    """A change and the ends of its 95 % interval, in the unit of what is compared."""

    change: float
    low: float
    high: float


def mean_interval(values: Sequence[float], resolution: float) -> tuple[float, float | None, float | None, float | None]:
    """Return (mean, standard deviation, low, high) of percentages: Student's 95 % interval of the mean in 0..100.

    resolution: as for `welch`; here too the interval takes no deviation below that of rounding.
    With one value there is no deviation and no interval: None in their place.
    """
    mean = fmean(values)
    if len(values) < 2:
        return mean, None, None, None
    margin = _margin(_variance(values, resolution) / len(values), len(values) - 1)
    return mean, stdev(values), max(mean - margin, 0.0), min(mean + margin, 100.0)


def verdict(interval: Interval, direction: int = 1) -> str:
    """Return BETTER, WORSE or OPEN. direction: 1 where more is better, -1 where less is."""
    low, high = sorted((direction * interval.low, direction * interval.high))
    return BETTER if low > 0 else WORSE if high < 0 else OPEN


def welch(before: Sequence[float], after: Sequence[float], resolution: float) -> Interval:
    """Return the Interval of the change of the mean between two sets of independent seeds, by Welch's t.

    before, after: one value a seed, at least two on one side; resolution: the step of the values (0.01 points for
    10,000 images). Welch's interval as scipy has it, but for three cases that tests simulate:
    - A deviation below that of rounding, step / sqrt(12), is raised to it: two seeds that happen to misread as many
      images do not prove that there is no noise.
    - With unequal counts Welch's degrees of freedom promise too much (a false verdict in 6 % of cases with 2 + 5
      seeds, in 10 % with 2 + 10): no more are taken than both sides would have with the smaller count.
    - A side of one seed borrows the other's deviation.
    """
    change = fmean(after) - fmean(before)
    spread, freedom = _seed_noise(before, after, resolution)
    margin = _margin(spread, freedom)
    return Interval(change, change - margin, change + margin)


def next_run(values: Sequence[float], resolution: float) -> Interval:
    """Return the Interval around the mean in which one more run, with another seed, falls in 95 % of cases.

    values: one a seed, at least two; resolution: as for `welch`, which finds the same for a side of one seed. Student's
    prediction interval, mean ± t s sqrt(1 + 1/n) with n - 1 degrees of freedom (G. Hahn, "Factors for calculating
    two-sided prediction intervals for samples from a normal distribution", 1969): wider than the interval of the mean,
    for what is held against it is a single run.
    """
    return welch([0.0], values, resolution)


def new_digits(before: np.ndarray, after: np.ndarray) -> Interval:
    """Return the Interval, in points of accuracy, of the change where seeds and test images are both drawn anew.

    before, after: bool [seeds, images], True where that seed misreads that image; the same images on both sides, at
    least two seeds on one. The variance is that of the seeds' accuracies plus that of the images' change (paired:
    the same image before and after). The chance of a single image in a single run is part of both; it is taken off
    once, measured by the seeds' disagreement on each image. Resampling seeds and images together would count it
    three times (A. Owen, "The pigeonhole bootstrap", 2007), and cover 99.9 % instead of 95 %.
    The question is the harder one, so the interval is never narrower than that of `welch`.
    """
    images = before.shape[1]
    by_seed = [accuracies(side).tolist() for side in (before, after)]
    changes = 100 * (before.mean(axis=0) - after.mean(axis=0))
    spread, freedom = _seed_noise(*by_seed, resolution=100 / images)
    own = max(changes.var(ddof=1) / images - _single_image_noise(before, after), 0.0)
    both = spread + own
    both_freedom = both**2 / (spread**2 / freedom + own**2 / (images - 1))
    margin = max(_margin(both, both_freedom), _margin(spread, freedom))
    change = fmean(by_seed[1]) - fmean(by_seed[0])
    return Interval(change, change - margin, change + margin)


def mcnemar(fixed: int, broken: int) -> tuple[float, Interval]:
    """Return (p, Interval) for two single runs, by the exact McNemar test on the images that only one misreads.

    fixed, broken: how many only the run before, and only the run after, misreads. The interval is of the number of
    images gained, from Clopper and Pearson's for the share of `fixed`; it leaves 0 out just where p < 0.05.
    """
    differing = fixed + broken
    if not differing:
        return 1.0, Interval(0, 0.0, 0.0)
    from scipy.stats import binomtest  # few comparisons need it

    test = binomtest(fixed, differing)
    share = test.proportion_ci(CONFIDENCE, method="exact")
    return float(test.pvalue), Interval(fixed - broken, *(float(differing * (2 * end - 1)) for end in share))


def seeds_to_settle(change: float, deviation: float) -> int | None:
    """Return how many seeds a side show a true change of this size in 80 % of cases, or None above MOST_SEEDS.

    deviation: of the seeds, the same on both sides, in the unit of the change. Power of the two-sided t test from
    the noncentral t distribution.
    """
    counts = np.arange(2, MOST_SEEDS + 1)
    freedom = 2 * (counts - 1)
    critical = _quantile((1 + CONFIDENCE) / 2, freedom)
    missed = special.nctdtr(freedom, np.minimum(abs(change) / deviation * np.sqrt(counts / 2), 30), critical)
    enough = counts[1 - missed >= POWER]
    return int(enough[0]) if len(enough) else None


def smallest_shown(before: Sequence[float], after: Sequence[float], resolution: float) -> float:
    """Return the smallest true change that these numbers of seeds show in 80 % of cases; arguments as for `welch`."""
    spread, freedom = _seed_noise(before, after, resolution)
    return float((_quantile((1 + CONFIDENCE) / 2, freedom) + _quantile(POWER, freedom)) * math.sqrt(spread))


def seed_deviation(before: Sequence[float], after: Sequence[float], resolution: float) -> float:
    """Return one standard deviation for both sides' seeds, the root of their mean variance; arguments as `welch`."""
    return math.sqrt(fmean(_variances(before, after, resolution)))


def accuracies(misread: np.ndarray) -> np.ndarray:
    """Return each seed's accuracy in percent, float [seeds], from bool [seeds, images]."""
    return 100 - 100 * misread.sum(axis=1) / misread.shape[1]


def _variances(before, after, resolution):
    """Return the variance of a seed on each side; a side of one seed has the other's."""
    pairs = ((before, after), (after, before))
    return [_variance(own if len(own) > 1 else other, resolution) for own, other in pairs]


def _variance(values, resolution):
    """Return the variance of values that are rounded to a resolution: no less than that of the rounding."""
    return max(variance(values), resolution**2 / 12)


def _seed_noise(before, after, resolution):
    """Return the variance of the difference of the means, and its degrees of freedom."""
    counts = (len(before), len(after))
    variances = _variances(before, after, resolution)
    parts = [of_side / count for of_side, count in zip(variances, counts, strict=True)]
    if min(counts) == 1:
        return sum(parts), max(counts) - 1
    freedom = sum(parts) ** 2 / sum(part**2 / (count - 1) for part, count in zip(parts, counts, strict=True))
    return sum(parts), min(freedom, 2 * (min(counts) - 1))


def _single_image_noise(before, after):
    """Return the part of the difference's variance that is independent between images and between runs.

    An image misread at a rate e adds e (1 - e) to a run's variance, here without bias from the seeds' rates
    (K. Jordan, arXiv 2304.01910).
    """
    noise = 0.0
    for own, other in ((before, after), (after, before)):
        known = own if len(own) > 1 else other
        rates = known.mean(axis=0)
        of_one_run = 100**2 * (rates * (1 - rates)).sum() * len(known) / (len(known) - 1) / own.shape[1] ** 2
        noise += of_one_run / len(own)
    return noise


def _margin(spread, freedom):
    return float(_quantile((1 + CONFIDENCE) / 2, freedom) * math.sqrt(spread))


def _quantile(share, freedom):
    """Return below which value that share of Student's t distribution lies."""
    return special.stdtrit(freedom, share)
