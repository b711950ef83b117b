"""Do the verdicts keep what they promise? Simulated runs whose truth is known, judged by ladder.evaluation.stats.

    python -m benchmarks.verdicts | tee benchmarks/verdicts.txt

It takes about ten minutes. Every row has DRAWS draws, those with images IMAGE_DRAWS; a rate of 5 % is then known to
within 0.3 points, or 0.6. Accuracies are whole numbers of images of 10,000, as real ones are. The last part leaves out
real writers, of the committed reports.
"""

from collections.abc import Callable, Iterator
from itertools import pairwise

import numpy as np

from ladder.comparison.reports import read_report
from ladder.comparison.snapshots import RUNGS, WORKSPACE, find
from ladder.evaluation import stats
from ladder.evaluation.stats import AS_GOOD, BETTER, OPEN, WORSE

DRAWS, IMAGE_DRAWS = 20_000, 2_000
IMAGE = 0.01  # points: one image of 10,000
SD = 0.05  # points, a usual deviation of seeds
MEAN = 99.4
SHAPES: dict[str, Callable] = {
    "normal": lambda random, size: random.standard_normal(size),
    "Student's t, 3 degrees": lambda random, size: random.standard_t(3, size) / np.sqrt(3),
    "skewed to the left": lambda random, size: 1 - random.exponential(1, size),
}
COUNTS = [(2, 2), (3, 3), (5, 5), (10, 10), (20, 20), (2, 5), (3, 5), (2, 10), (5, 10), (5, 20), (1, 5)]
REAL = ("net7", "net8", "s7_final", "champion", "sprint", "tiny")  # rungs whose seeds stand for those of others
HALVES = (2, 5, 10)  # seeds of each half; a rung takes part where it has twice as many


def verdicts(random: np.random.Generator, counts: tuple, change: float, sds: tuple, shape: str) -> dict[str, float]:
    """Return {verdict: its rate in percent} for runs whose true change is `change` points.

    counts, sds: number of seeds, and the deviation of one, before and after.
    """
    drawn = [SHAPES[shape](random, (DRAWS, count)) * sd for count, sd in zip(counts, sds, strict=True)]
    before, after = (np.round(MEAN + shift + of, 2).tolist() for shift, of in zip((0, change), drawn, strict=True))
    found = [stats.welch(*pair, IMAGE).verdict() for pair in zip(before, after, strict=True)]
    return {verdict: 100 * found.count(verdict) / DRAWS for verdict in (BETTER, WORSE, AS_GOOD, OPEN)}


def false_verdicts(random: np.random.Generator) -> Iterator[str]:
    """Yield how often equal recipes are called better or worse."""
    yield "False verdicts, better or worse, in % (promised: at most 5)"
    for shape in SHAPES:
        for counts in COUNTS:
            found = verdicts(random, counts, 0, (SD, SD), shape)
            yield f"  {shape:24} {counts[0]:3} + {counts[1]:2} seeds {found[BETTER] + found[WORSE]:6.2f}"
    for counts, ratio in (((3, 5), 2.2), ((3, 5), 5), ((2, 10), 3), ((2, 10), 5), ((5, 5), 5), ((5, 20), 3)):
        found = verdicts(random, counts, 0, (SD * ratio, SD), "normal")
        what = f"first side's SD × {ratio}"
        yield f"  {what:24} {counts[0]:3} + {counts[1]:2} seeds {found[BETTER] + found[WORSE]:6.2f}"


def as_good(random: np.random.Generator) -> Iterator[str]:
    """Yield how often a change of just AS_GOOD_WITHIN points is called as good, and how often none is."""
    yield f"Called as good within ±{stats.AS_GOOD_WITHIN} points, in % (promised: at most 5 at the edge)"
    for count in (3, 5, 10, 20):
        edge, none = (
            verdicts(random, (count, count), change, (SD, SD), "normal")[AS_GOOD]
            for change in (stats.AS_GOOD_WITHIN, 0)
        )
        yield f"  {count:3} + {count:2} seeds: {edge:6.2f} at the edge, {none:6.2f} where nothing differs"


def power(random: np.random.Generator) -> Iterator[str]:
    """Yield how often a true change is found, and whether so many seeds settle it as `seeds_to_settle` says."""
    yield f"Found (better), in %, with a seed's SD of {SD} points"
    for change in (0.05, 0.1, 0.2):
        for count in (3, 5, 10, 20):
            found = verdicts(random, (count, count), change, (SD, SD), "normal")[BETTER]
            yield f"  {change:4} points, {count:2} + {count:2} seeds {found:6.2f}"
        settle = stats.seeds_to_settle(change, SD)
        found = verdicts(random, (settle, settle), change, (SD, SD), "normal")[BETTER]
        yield f"  {change:4} points, {settle:2} + {settle:2} seeds {found:6.2f}  as seeds_to_settle says (promised: 80)"
    yield "Found where the change is that of smallest_shown, in % (promised: at least 80)"
    for count in (2, 3, 5, 10):
        error = SD * np.sqrt(2 / count)
        change = stats.smallest_shown(error, count)
        found = verdicts(random, (count, count), change, (SD, SD), "normal")[BETTER]
        yield f"  {count:2} + {count:2} seeds {found:6.2f}"


def paired(random: np.random.Generator) -> Iterator[str]:
    """Yield how often the interval of two single runs holds the true change, as new images would show it."""
    yield "The interval of two single runs holds the true change, in % (promised: 95)"
    for fixed, broken in ((10, 30), (5, 40), (2, 60), (0, 60)):
        drawn = random.multinomial(10_000, [0.004, fixed / 1e4, broken / 1e4, 0.996 - (fixed + broken) / 1e4], DRAWS)
        pairs, covered = np.array([[1, 1], [1, 0], [0, 1], [0, 0]], dtype=bool), 0
        for counts in drawn:
            before, after = np.repeat(pairs, counts, axis=0).T
            _, low, high = stats.paired_interval(before, after)
            covered += low <= (fixed - broken) / 100 <= high
        yield f"  true rates of fixed and broken {fixed:2} and {broken:2} in 10,000 {100 * covered / DRAWS:6.2f}"


def other_people(random: np.random.Generator) -> Iterator[str]:
    """Yield how often the interval for other people's digits holds the truth.

    297 writers of 34 images each. A writer shifts the log odds of an error, before and after by amounts of their own,
    and a seed shifts them for all writers.
    """
    yield "The interval for other people's digits holds the true change, in % (promised: 95)"
    groups, many = np.repeat(np.arange(297), 34), 1_000_000

    def rates(hands, of_seeds):
        return 1 / (1 + np.exp(5.5 - hands - of_seeds))

    def hands(count):
        before = random.normal(0, 1, count)
        return before, before + random.normal(-0.2, 1, count)

    before, after = (rates(of, random.normal(0, 0.1, many)).mean() for of in hands(many))
    truth = 100 * (before - after)
    for count in (3, 5, 10):
        covered = {"by writer": 0, "as if images were independent": 0}
        for _ in range(IMAGE_DRAWS):
            sides = [
                random.random((count, len(groups))) < rates(of[groups], random.normal(0, 0.1, (count, 1)))
                for of in hands(297)
            ]
            for how, clusters in zip(covered, (groups, None), strict=True):
                _, low, high = stats.new_writers(*sides, clusters).interval
                covered[how] += low <= truth <= high
        found = ", ".join(f"{how} {100 * held / IMAGE_DRAWS:6.2f}" for how, held in covered.items())
        yield f"  {count:2} + {count:2} seeds: {found}"


def left_out(random: np.random.Generator) -> Iterator[str]:
    """Yield how often the change on half of the real writers foretells that on the other half, with other seeds.

    The writers of the test images are split at random, and each half has seeds of its own. The two changes differ by
    the root of their added variances: t of that difference is beyond its 95 % in 5 % of cases, if errors are right.
    From two seeds it is beyond in fewer cases, since the degrees of freedom are then set low.
    """
    yield "The change on half of the writers foretells that on the others, with other seeds, in % (promised: 95)"
    snapshot = find(WORKSPACE)
    reports = [read_report(snapshot, f"{RUNGS}/{rung}", rung) for rung in REAL]
    for count in HALVES:
        for before, after in pairwise(report for report in reports if len(report.misread) >= 2 * count):
            sides, groups = (before.misread, after.misread), after.test.groups
            rates = [_foretold(random, sides, groups, of, count) for of in (groups, np.arange(len(groups)))]
            found = f"by writer {rates[0]:6.2f}, as if images were independent {rates[1]:6.2f}"
            yield f"  {count:2} + {count:2} seeds  {before.name:8} -> {after.name:8} {found}"


def _foretold(random, sides, groups, clusters, count):
    """Return the rate in percent for one pair of rungs, with `count` seeds of each in a half.

    sides: bool [seeds, images] of both rungs; clusters: the groups that the standard error knows of.
    """
    held, writers = 0, np.unique(groups)
    for _ in range(IMAGE_DRAWS):
        chosen = np.isin(groups, random.permutation(writers)[: len(writers) // 2])
        halves = [_halves(random, side, count) for side in sides]
        found = [
            stats.new_writers(*(side[half][:, of] for side in halves), clusters[of])
            for half, of in ((0, chosen), (1, ~chosen))
        ]
        apart = stats.Difference(
            found[1].change - found[0].change,
            float(np.hypot(found[0].error, found[1].error)),
            min(of.freedom for of in found),
        )
        held += apart.interval.low <= 0 <= apart.interval.high
    return 100 * held / IMAGE_DRAWS


def _halves(random, side, count):
    """Return two sets of `count` seeds of a side, bool [count, images] each, that share none."""
    order = random.permutation(len(side))
    return side[order[:count]], side[order[count : 2 * count]]


def main() -> None:
    """Print all parts, each from a seed of its own."""
    print(f"{DRAWS:,} draws a row; {IMAGE_DRAWS:,} where real writers are left out")
    for number, part in enumerate((false_verdicts, as_good, power, paired, other_people, left_out)):
        for line in part(np.random.default_rng(number)):
            print(line, flush=True)


if __name__ == "__main__":
    main()
