"""Statistics of repeated runs, and whether the difference between two sets of them is real.

Two kinds of noise, two questions. `welch`: would training again, with other random seeds, say the same on these test
images? `new_writers`: would it hold for digits of other people too? A change is always after minus before.
benchmarks/verdicts.py simulates what is promised here.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean, stdev, variance
from typing import NamedTuple

import numpy as np
from scipy.special import nctdtr, nctdtrinc, ndtri, stdtr, stdtrit

CONFIDENCE = 0.95
POWER = 0.8
MOST_SEEDS = 1000  # a side; beyond it nobody would train to find out
AS_GOOD_WITHIN = 0.1  # points of accuracy: the size of the steps that people take here
BETTER, WORSE, AS_GOOD, OPEN = "better", "worse", "as good", "cannot tell yet"
DIFFER = "these two runs differ"  # of one run a side, which say nothing of their recipes


class Interval(NamedTuple):
    """A change and the ends of its 95 % interval, in the unit of what is compared."""

    change: float
    low: float
    high: float


@dataclass(frozen=True)
class Difference:
    """A change, its standard error in the same unit, and the degrees of freedom by which that error is known."""

    change: float
    error: float
    freedom: float

    @property
    def interval(self) -> Interval:
        """The change with its 95 % interval, by Student's t."""
        reach = self._reach((1 + CONFIDENCE) / 2)
        return Interval(self.change, self.change - reach, self.change + reach)

    @property
    def p(self) -> float:
        """The p-value of the two-sided t test that there is no change."""
        return float(2 * stdtr(self.freedom, -abs(self.change) / self.error))

    @property
    def margin(self) -> float:
        """The smallest x for which two one-sided t tests at 5 % show that the true change lies within ± x.

        D. Schuirmann, "A comparison of the two one-sided tests procedure and the power approach", 1987.
        """
        return abs(self.change) + self._reach(CONFIDENCE)

    @property
    def again(self) -> float:
        """The chance that the interval would leave 0 out again, on the same side, if change and error were the truth.

        They are estimates. Changes that were just large enough to be found are on average smaller in truth: with few
        seeds the true chance may be far lower (benchmarks/verdicts.txt).
        """
        return _power(abs(self.change) / self.error, self.freedom)

    def verdict(self, within: float = AS_GOOD_WITHIN) -> str:
        """Return BETTER, WORSE, AS_GOOD (the true change is shown to lie within ± `within`) or OPEN."""
        _, low, high = self.interval
        if low > 0 or high < 0:
            return BETTER if low > 0 else WORSE
        return AS_GOOD if self.margin <= within else OPEN

    def _reach(self, quantile):
        return float(stdtrit(self.freedom, quantile) * self.error)


def mean_interval(values: Sequence[float], resolution: float) -> tuple[float, float | None, float | None, float | None]:
    """Return (mean, standard deviation, low, high) of percentages: Student's 95 % interval of the mean in 0..100.

    resolution: as for `welch`; here too the interval takes no deviation below that of rounding.
    With one value there is no deviation and no interval: None in their place.
    """
    mean = fmean(values)
    if len(values) < 2:
        return mean, None, None, None
    error = math.sqrt(_variance(values, resolution) / len(values))
    _, low, high = Difference(mean, error, len(values) - 1).interval
    return mean, stdev(values), max(low, 0.0), min(high, 100.0)


def welch(before: Sequence[float], after: Sequence[float], resolution: float) -> Difference:
    """Return the Difference of the means of two sets of independent seeds, by Welch's t.

    before, after: one value a seed, at least two on one side; resolution: the step of the values (0.01 points for
    10,000 images). As scipy has it, but for three cases that are simulated:
    - A deviation below that of rounding, step / sqrt(12), is raised to it: two seeds that happen to misread as many
      images do not prove that there is no noise.
    - With unequal counts Welch's degrees of freedom promise too much: no more are taken than both sides would have with
      the smaller count, and no more than the smaller side's own where most of the noise is that side's.
    - A side of one seed borrows the other's deviation.
    """
    spread, freedom = _seed_noise(before, after, resolution)
    return Difference(fmean(after) - fmean(before), math.sqrt(spread), freedom)


def next_run(values: Sequence[float], resolution: float) -> Difference:
    """Return the Difference from 0 of one more run, with another seed: its interval holds that run in 95 % of cases.

    values: one a seed, at least two; resolution: as for `welch`, which finds the same for a side of one seed. Student's
    prediction interval, mean ± t s sqrt(1 + 1/n) with n - 1 degrees of freedom (G. Hahn, "Factors for calculating
    two-sided prediction intervals for samples from a normal distribution", 1969): wider than the interval of the mean,
    for what is held against it is a single run.
    """
    return welch([0.0], values, resolution)


def new_writers(before: np.ndarray, after: np.ndarray, groups: np.ndarray | None = None) -> Difference:
    """Return the Difference, in points of accuracy, where seeds and writers of test images are both drawn anew.

    before, after: bool [seeds, images], True where that seed misreads that image; the same images on both sides, at
    least two seeds on one. groups: int [images], who made each image; without it each image is a group of its own.
    The variance is that of the seeds' accuracies plus that of the images' change (paired: the same image before and
    after), clustered by group, since the digits of one hand are alike (E. Miller, arXiv:2411.00640). The chance of a
    group's images in a single run is part of both; it is taken off once, measured by the seeds' disagreement on each
    group. Resampling seeds and images together would count it three times (A. Owen, "The pigeonhole bootstrap", 2007).
    The question is the harder one, so the interval is never narrower than that of `welch`.
    """
    images = before.shape[1]
    by_seed = [accuracies(side).tolist() for side in (before, after)]
    inner = welch(*by_seed, resolution=100 / images)
    known, place = (images, None) if groups is None else _numbered(groups)
    changes = before.mean(axis=0) - after.mean(axis=0)
    sums = _by_group((changes - changes.mean())[None], place, known)[0]
    of_groups = 100**2 * (sums**2).sum() / images**2 * known / max(known - 1, 1)
    own = max(of_groups - _group_noise(before, after, place, known), 0.0)
    both = inner.error**2 + own
    freedom = both**2 / (inner.error**4 / inner.freedom + own**2 / max(known - 1, 1))
    outer = Difference(inner.change, math.sqrt(both), freedom)
    return max(inner, outer, key=lambda of: of.interval.high)


def paired_interval(before: np.ndarray, after: np.ndarray) -> Interval:
    """Return the Interval of the change of accuracy, in points, between two single runs on the same images.

    before, after: bool [images], True where the run misreads. R. Newcombe, "Improved confidence intervals for the
    difference between binomial proportions based on paired data", 1998, method 10: Wilson's intervals of both rates,
    squared and added, less what the runs' agreement takes off. Unlike one from McNemar's test, it does not take the
    number of differing images as given.
    """
    images = len(before)
    rates, limits = (before.mean(), after.mean()), [_wilson(side) for side in (before, after)]
    both, neither = int((before & after).sum()), int((~before & ~after).sum())
    differing = int((before & ~after).sum()) * int((after & ~before).sum())
    agreement = both * neither - differing
    agreement = max(agreement - images / 2, 0) if agreement > 0 else agreement
    spread = math.prod(math.sqrt(count) for side in (before, after) for count in (side.sum(), images - side.sum()))
    phi = agreement / spread if spread else 0.0
    change = rates[0] - rates[1]
    down = _root_of_squares(rates[0] - limits[0][0], limits[1][1] - rates[1], phi)
    up = _root_of_squares(rates[1] - limits[1][0], limits[0][1] - rates[0], phi)
    return Interval(*(float(100 * value) for value in (change, change - down, change + up)))


def seeds_to_settle(change: float, deviation: float) -> int | None:
    """Return how many seeds a side show a true change of this size in 80 % of cases, or None above MOST_SEEDS.

    deviation: of the seeds, the same on both sides, in the unit of the change. At least 3. Power of the two-sided t
    test from the noncentral t distribution.
    """
    counts = np.arange(3, MOST_SEEDS + 1)
    freedom = 2 * (counts - 1)
    critical = stdtrit(freedom, (1 + CONFIDENCE) / 2)
    power = 1 - nctdtr(freedom, np.minimum(abs(change) / deviation * np.sqrt(counts / 2), 30), critical)
    enough = counts[power >= POWER]
    return int(enough[0]) if len(enough) else None


def smallest_shown(error: float, seeds: int) -> float:
    """Return a true change that so many seeds a side show in at least 80 % of cases.

    error: the standard error of the change, in its unit. Welch's degrees of freedom vary from seeds - 1 to twice that;
    the fewest are taken, since with the most a change would be shown in 47, 70 and 77 % of cases (2, 3 and 5 seeds).
    """
    freedom = max(seeds - 1, 1)
    return float(nctdtrinc(freedom, 1 - POWER, stdtrit(freedom, (1 + CONFIDENCE) / 2)) * error)


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
    smaller = counts.index(min(counts))
    noisier = counts[0] != counts[1] and parts[smaller] > parts[1 - smaller]
    return sum(parts), min(freedom, (1 if noisier else 2) * (min(counts) - 1))


def _power(shifts, freedom):
    """Return the chance that a two-sided t test at 5 % shows a true change of so many standard errors, on its side."""
    critical = stdtrit(freedom, (1 + CONFIDENCE) / 2)
    return float(1 - nctdtr(freedom, shifts, critical)) if shifts < 30 else 1.0


def _numbered(groups):
    """Return (number of groups, place of each image's group, int [images])."""
    found, place = np.unique(groups, return_inverse=True)
    return len(found), place


def _by_group(values, place, known):
    """Return the sums of values, float [rows, images], over each group: float [rows, groups]."""
    if place is None:
        return values
    return np.stack([np.bincount(place, row, minlength=known) for row in values])


def _group_noise(before, after, place, known):
    """Return the part of the difference's variance that is independent between groups and between runs.

    It is the seeds' disagreement on each group. Where each image is a group, one misread at a rate e adds e (1 - e) to
    a run's variance, here without bias from the seeds' rates (K. Jordan, arXiv:2304.01910).
    """
    noise = 0.0
    for own, other in ((before, after), (after, before)):
        several = own if len(own) > 1 else other
        of_one_run = _by_group(several.astype(float), place, known).var(axis=0, ddof=1).sum() / own.shape[1] ** 2
        noise += 100**2 * of_one_run / len(own)
    return noise


def _wilson(misread):
    """Return Wilson's 95 % interval of a rate (E. Wilson, 1927)."""
    images, rate, z = len(misread), float(misread.mean()), float(ndtri((1 + CONFIDENCE) / 2))
    middle, reach = rate + z**2 / (2 * images), z * math.sqrt(rate * (1 - rate) / images + z**2 / (4 * images**2))
    return tuple((middle + side * reach) / (1 + z**2 / images) for side in (-1, 1))


def _root_of_squares(first, second, phi):
    return math.sqrt(max(first**2 - 2 * phi * first * second + second**2, 0.0))
