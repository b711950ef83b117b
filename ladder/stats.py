"""Statistics of repeated runs."""

import math
from statistics import fmean, stdev

from scipy.stats import t as student

CONFIDENCE = 0.95


def mean_interval(values):
    """Return (mean, standard deviation, low, high) of percentages: Student's 95 % interval of the mean in 0..100.

    With one value there is no deviation and no interval: None in their place.
    """
    mean = fmean(values)
    if len(values) < 2:
        return mean, None, None, None
    deviation = stdev(values)
    margin = student.ppf((1 + CONFIDENCE) / 2, len(values) - 1) * deviation / math.sqrt(len(values))
    return mean, deviation, max(mean - margin, 0.0), min(mean + margin, 100.0)
