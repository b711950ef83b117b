"""Do the verdicts keep what they promise? Simulated runs whose truth is known, judged by ladder.evaluation.stats.

    python -m benchmarks.verdicts | tee benchmarks/verdicts.txt

It takes about a quarter of an hour on two cores. Every row has DRAWS draws; a rate of 5 % is then known to within 0.3
points. Accuracies are whole numbers of images of 10,000, as real ones are. The last part leaves out real writers, of
the committed reports.
"""

from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from itertools import pairwise

import numpy as np

from commands.compare import TOLERANCE
from ladder.board.rows import with_q
from ladder.comparison.reports import Report, read_report
from ladder.comparison.snapshots import RUNGS, WORKSPACE, find
from ladder.evaluation import stats
from ladder.evaluation.stats import AS_GOOD, BETTER, OPEN, WORSE

DRAWS = 20_000
IMAGE = 0.01  # points: one image of 10,000
SD = 0.05  # points, a usual deviation of seeds
MEAN = 99.4
SHAPES: dict[str, Callable] = {
    "normal": lambda random, size: random.standard_normal(size),
    "Student's t, 3 degrees": lambda random, size: random.standard_t(3, size) / np.sqrt(3),
    "skewed to the left": lambda random, size: 1 - random.exponential(1, size),
}
COUNTS = [(2, 2), (3, 3), (5, 5), (10, 10), (20, 20), (2, 5), (3, 5), (2, 10), (5, 10), (5, 20)]
REAL = ("net7", "net8", "s7_final", "champion", "sprint", "tiny")  # rungs whose seeds stand for those of others
HALVES = (5, 10)  # seeds of each half; a rung takes part where it has twice as many
STEPS, REAL_STEPS = 35, 15  # of a ladder, and those of them that change something
Random = np.random.Generator


def runs(random: Random, count: int, change: float = 0, sd: float = SD, shape: str = "normal") -> list[list[float]]:
    """Return DRAWS lists of the accuracies of `count` seeds, `change` points above MEAN."""
    return np.round(MEAN + change + SHAPES[shape](random, (DRAWS, count)) * sd, 2).tolist()


def differences(before: list, after: list) -> list[stats.Difference]:
    """Return the Difference of each pair of lists that `runs` returned."""
    return [stats.welch(*pair, IMAGE) for pair in zip(before, after, strict=True)]


def verdicts(random: Random, counts: tuple, change: float, sds: tuple, shape: str) -> dict[str, float]:
    """Return {verdict: its rate in percent} for runs whose true change is `change` points.

    counts, sds: number of seeds, and the deviation of one, before and after.
    """
    before, after = (runs(random, *of, shape) for of in zip(counts, (0, change), sds, strict=True))
    found = [difference.verdict() for difference in differences(before, after)]
    return {verdict: percent([of == verdict for of in found]) for verdict in (BETTER, WORSE, AS_GOOD, OPEN)}


def percent(held: list[bool]) -> float:
    """Return in how many cases of a hundred it holds."""
    return 100 * sum(held) / len(held)


def false_verdicts(random: Random) -> Iterator[str]:
    """Yield how often equal recipes are called better or worse."""
    yield "False verdicts, better or worse, in % (meant: 5)"
    for shape in SHAPES:
        for counts in COUNTS:
            found = verdicts(random, counts, 0, (SD, SD), shape)
            yield f"  {shape:24} {counts[0]:3} + {counts[1]:2} seeds {found[BETTER] + found[WORSE]:6.2f}"
    for counts, ratio in (((3, 5), 2.2), ((3, 5), 5), ((2, 10), 3), ((2, 10), 5), ((5, 5), 5), ((5, 20), 3)):
        found = verdicts(random, counts, 0, (SD * ratio, SD), "normal")
        what = f"first side's SD × {ratio}"
        yield f"  {what:24} {counts[0]:3} + {counts[1]:2} seeds {found[BETTER] + found[WORSE]:6.2f}"


def looking_twice(random: Random) -> Iterator[str]:
    """Yield how often equal recipes are called better or worse by who trains as many seeds again where it is open."""
    yield "False verdicts, better or worse, in %, where open questions get as many seeds again"
    for count in (3, 5, 10):
        before, after = runs(random, 2 * count), runs(random, 2 * count)
        first = differences(*([of[:count] for of in side] for side in (before, after)))
        then = differences(before, after)
        last = [one if one.verdict() != OPEN else two for one, two in zip(first, then, strict=True)]
        false = percent([of.verdict() in (BETTER, WORSE) for of in last])
        yield f"  {count:2} + {count:2}, then {2 * count:2} + {2 * count:2} seeds {false:6.2f}"


def of_many(random: Random) -> Iterator[str]:
    """Yield how many of a ladder's verdicts are false: of all, and of those that keep q at most 0.05."""
    yield f"False among the verdicts on {STEPS} steps, {REAL_STEPS} of which change something, in % (with q: at most 5)"
    for count, change in ((5, 0.05), (5, 0.2), (10, 0.1)):
        shares = {"all": [], "q ≤ 0.05": []}
        changes = [change] * REAL_STEPS + [0.0] * (STEPS - REAL_STEPS)
        steps = [differences(runs(random, count), runs(random, count, of)) for of in changes]
        for ladder in zip(*steps, strict=True):
            rows = with_q([{"step_p": step.p, "false": of == 0} for step, of in zip(ladder, changes, strict=True)])
            for key, limit in (("all", "step_p"), ("q ≤ 0.05", "step_q")):
                shown = [row["false"] for row in rows if row[limit] <= 0.05]
                shares[key].append(percent(shown) if shown else 0.0)
        found = ", ".join(f"{key} {np.mean(of):6.2f}" for key, of in shares.items())
        yield f"  {change:4} points, {count:2} + {count:2} seeds: {found}"


def as_good(random: Random) -> Iterator[str]:
    """Yield how often a change of just AS_GOOD_WITHIN points is called as good, and how often none is."""
    yield f"Called as good within ±{stats.AS_GOOD_WITHIN} points, in % (promised: at most 5 at the edge)"
    for count in (3, 5, 10, 20):
        edge, none = (
            verdicts(random, (count, count), change, (SD, SD), "normal")[AS_GOOD]
            for change in (stats.AS_GOOD_WITHIN, 0)
        )
        yield f"  {count:3} + {count:2} seeds: {edge:6.2f} at the edge, {none:6.2f} where nothing differs"


def gate(random: Random) -> Iterator[str]:
    """Yield how often `--fail-unless not-worse` passes a loss of just its tolerance, and what it does without one."""
    yield f"The gate with a tolerance of {TOLERANCE} points, in % (a loss of as much passes: meant 2.5)"
    for count in (3, 5, 10, 20):
        losing, equal = (
            [of.interval for of in differences(runs(random, count), runs(random, count, change))]
            for change in (-TOLERANCE, 0)
        )
        passed, fine = (percent([of.low > -TOLERANCE for of in found]) for found in (losing, equal))
        failed = percent([of.high < -TOLERANCE for of in equal])
        yield (
            f"  {count:2} + {count:2} seeds: such a loss passes {passed:6.2f}; "
            f"where nothing differs, passes {fine:6.2f}, fails {failed:6.2f}, cannot tell {100 - fine - failed:6.2f}"
        )


def again(random: Random) -> Iterator[str]:
    """Yield what a found change says of repetitions, and how many repetitions do say so again."""
    yield "A repetition says so again, in %: if the change were as large as it seems, and in truth"
    for change in (0.05, 0.1, 0.2):
        for count in (3, 5, 10, 20):
            found = [
                of for of in differences(runs(random, count), runs(random, count, change)) if of.verdict() == BETTER
            ]
            said = np.mean([100 * of.again for of in found])
            repeated = differences(runs(random, count), runs(random, count, change))
            truth = percent([of.verdict() == BETTER for of in repeated])
            yield f"  {change:4} points, {count:2} + {count:2} seeds: as it seems {said:6.2f}, in truth {truth:6.2f}"


def one_more(random: Random) -> Iterator[str]:
    """Yield how often the interval for one more run holds it, and how often agreement is claimed that there is not."""
    yield "One more run lies in its interval, in % (promised: 95); agreement within a true difference (at most 5)"
    for count in (3, 5, 10, 20):
        ours, more = runs(random, count), [of[0] for of in runs(random, 1)]
        intervals = [stats.next_run(of, IMAGE).interval for of in ours]
        held = percent([of.low <= run <= of.high for of, run in zip(intervals, more, strict=True)])
        shifted = [[run - reported - 0.2 for run in of] for of, reported in zip(ours, more, strict=True)]
        agrees = percent([stats.next_run(of, IMAGE).margin < 0.2 for of in shifted])
        yield f"  {count:2} seeds: {held:6.2f}; {agrees:6.2f}"


def power(random: Random) -> Iterator[str]:
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


def paired(random: Random) -> Iterator[str]:
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


def other_people(random: Random) -> Iterator[str]:
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
        for _ in range(DRAWS):
            sides = [
                random.random((count, len(groups))) < rates(of[groups], random.normal(0, 0.1, (count, 1)))
                for of in hands(297)
            ]
            for how, clusters in zip(covered, (groups, None), strict=True):
                _, low, high = stats.new_writers(*sides, clusters).interval
                covered[how] += low <= truth <= high
        found = ", ".join(f"{how} {100 * held / DRAWS:6.2f}" for how, held in covered.items())
        yield f"  {count:2} + {count:2} seeds: {found}"


def left_out(random: Random) -> Iterator[str]:
    """Yield how often the change on half of the real writers foretells that on the other half, with other seeds.

    The writers of the test images are split at random, and each half has seeds of its own. The two changes differ by
    the root of their added variances: t of that difference is beyond its 95 % in 5 % of cases, if errors are right.
    """
    yield "The change on half of the writers foretells that on the others, with other seeds, in % (promised: 95)"
    snapshot = find(WORKSPACE)
    reports = [read_report(snapshot, f"{RUNGS}/{rung}", rung) for rung in REAL]
    pairs = [
        (count, *pair)
        for count in HALVES
        for pair in pairwise(report for report in reports if len(report.misread) >= 2 * count)
    ]
    with ProcessPoolExecutor() as pool:
        rates = pool.map(_foretold, random.spawn(len(pairs)), *zip(*pairs, strict=True))
        for (count, before, after), (by_writer, by_image) in zip(pairs, rates, strict=True):
            found = f"by writer {by_writer:6.2f}, as if images were independent {by_image:6.2f}"
            yield f"  {count:2} + {count:2} seeds  {before.name:8} -> {after.name:8} {found}"


def _foretold(random: Random, count: int, before: Report, after: Report) -> tuple[float, float]:
    """Return the rates in percent for a pair of rungs, with `count` seeds of each in a half.

    One is by a standard error that knows the writers, one by one that takes each image for a writer's.
    """
    sides, groups = (before.misread, after.misread), after.test.groups
    return tuple(_held(random, sides, groups, of, count) for of in (groups, np.arange(len(groups))))


def _held(random, sides, groups, clusters, count):
    """Return the rate in percent.

    sides: bool [seeds, images] of both rungs; clusters: who made each image, as the standard error knows it.
    """
    held, writers = 0, np.unique(groups)
    for _ in range(DRAWS):
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
    return 100 * held / DRAWS


def _halves(random, side, count):
    """Return two sets of `count` seeds of a side, bool [count, images] each, that share none."""
    order = random.permutation(len(side))
    return side[order[:count]], side[order[count : 2 * count]]


def main() -> None:
    """Print all parts, each from a seed of its own."""
    print(f"{DRAWS:,} draws a row")
    parts = (
        false_verdicts,
        looking_twice,
        of_many,
        as_good,
        gate,
        power,
        again,
        one_more,
        paired,
        other_people,
        left_out,
    )
    for number, part in enumerate(parts):
        for line in part(np.random.default_rng(number)):
            print(line, flush=True)


if __name__ == "__main__":
    main()
