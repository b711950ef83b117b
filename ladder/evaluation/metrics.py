"""The metrics: one entry of METRICS says all that evaluate, compare and the board know of one number.

A new metric is a new entry, and where needed the function above it that computes it.
"""

from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from statistics import fmean

import numpy as np

from ladder.cards import Recipe, parameters
from ladder.evaluation import stats
from ladder.evaluation.numbers import number
from ladder.exceptions import cut

STORED_DECIMALS = 4  # in metrics.json, where a metric says nothing else
ROUNDING = 1e-6  # of the losses and train accuracies in the CSV files


@dataclass(frozen=True)
class Tables:
    """The rows of a recipe's CSV files, as `ladder.evaluation.tables` defines their columns."""

    curves: list[dict]
    errors: list[dict]
    history: list[dict]  # empty where history.csv is not kept, as for the ladder's rungs
    test_images: int


@dataclass(frozen=True)
class Evaluation:
    """All that metrics.json is computed from. train_accuracies: percent, one a seed; target: percent, None: none."""

    tables: Tables
    recipe: Recipe
    train_accuracies: list[float]
    target: float | None


def accuracies(tables: Tables) -> list[float]:
    """Return each seed's test accuracy after the last epoch, in percent."""
    return _last_epoch(tables.curves, "accuracy")


def misread_counts(tables: Tables) -> list[int]:
    """Return how many test images each seed misreads after the last epoch."""
    counts = dict.fromkeys((row["seed"] for row in tables.curves), 0)
    for row in tables.errors:
        counts[row["seed"]] += 1
    return list(counts.values())


def losses(tables: Tables) -> list[float]:
    """Return each seed's test loss after the last epoch."""
    return _last_epoch(tables.curves, "loss")


def best_epoch_accuracies(tables: Tables) -> list[float]:
    """Return the highest test accuracy that each seed has after any epoch, in percent."""
    best = {}
    for row in tables.curves:
        best[row["seed"]] = max(best.get(row["seed"], 0.0), row["accuracy"])
    return list(best.values())


def running_train_accuracies(tables: Tables) -> list[float]:
    """Return each seed's train accuracy during the last epoch, in percent; none without history.csv."""
    return _last_epoch(tables.history, "train_accuracy")


def mean_interval(evaluation: Evaluation) -> tuple:
    """Return (mean, standard deviation, low, high) of the test accuracy; see `stats.mean_interval`."""
    return stats.mean_interval(accuracies(evaluation.tables), resolution=100 / evaluation.tables.test_images)


def train_accuracy(evaluation: Evaluation) -> float:
    """Return the mean accuracy of the last weights on the clean training images, in percent."""
    return sum(evaluation.train_accuracies) / len(evaluation.train_accuracies)


def reached_epoch(evaluation: Evaluation) -> int | None:
    """Return the first epoch (from 1) at which the mean of the seeds is at the target, or None."""
    return next((epoch for epoch, at_target in _epochs_at_target(evaluation).items() if at_target), None)


def epochs_at_target(evaluation: Evaluation) -> int | None:
    """Return for how many of the last epochs the mean of the seeds stays at the target; None without a target."""
    if evaluation.target is None:
        return None
    missed = [epoch for epoch, at_target in _epochs_at_target(evaluation).items() if not at_target]
    return evaluation.recipe.epochs - max(missed, default=0)


def holdout_accuracy(evaluation: Evaluation) -> float | None:
    """Return the mean accuracy on the holdout after the last epoch, in percent; None without a holdout."""
    if not evaluation.recipe.holdout:
        return None
    return _mean(_last_epoch(evaluation.tables.history, "holdout_accuracy"), STORED_DECIMALS)


@dataclass(frozen=True)
class Metric:
    """One number of metrics.json.

    `by_seed` gives one value a seed from the CSV files alone, so compare can judge it. `value` gives the number for
    metrics.json from an Evaluation; without it that is the mean of `by_seed`.
    """

    key: str
    title: str  # with its unit, as compare's table shows it
    by_seed: Callable[[Tables], list] | None = None
    value: Callable[[Evaluation], float | int | None] | None = None
    step: Callable[[int], float] = lambda test_images: ROUNDING  # between neighbouring values of one seed
    decimals: int = 2  # that people are shown; 0: whole numbers
    stored_decimals: int = STORED_DECIMALS
    bounds: tuple[float, float] = (0, 100)  # a value outside them makes no sense
    optional: bool = False  # None where it does not apply
    compared: bool = True  # has a line of its own in compare's table
    primary: bool = False  # it alone gives verdicts; more is better

    def of(self, evaluation: Evaluation) -> float | int | None:
        """Return the value for metrics.json."""
        if self.value is None:
            return _mean(self.by_seed(evaluation.tables), self.stored_decimals)
        value = self.value(evaluation)
        return round(value, self.stored_decimals) if isinstance(value, float) else value

    def check(self, value: object) -> None:
        """Raise ValueError for a value that metrics.json cannot have."""
        if value is None and self.optional:
            return
        whole, (low, high) = self.decimals == 0, self.bounds
        if isinstance(value, bool) or not isinstance(value, int if whole else int | float) or not low <= value <= high:
            kind = "a whole number" if whole else "a number"
            raise ValueError(f"{self.key} is {shortened(value)}, not {kind} from {low:,} to {high:,}")


def _one_image(test_images: int) -> float:
    return 100 / test_images


MOST = 10**15  # nothing that is counted or measured here comes near it
ANY_COUNT = (0, MOST)
METRICS = (
    Metric(
        "accuracy",
        "accuracy, %",
        by_seed=accuracies,
        value=lambda of: mean_interval(of)[0],
        step=_one_image,
        primary=True,
    ),
    Metric(
        "accuracy_sd", "accuracy's standard deviation, points", value=lambda of: mean_interval(of)[1], optional=True
    ),
    Metric("accuracy_low", "", value=lambda of: mean_interval(of)[2], optional=True, compared=False),
    Metric("accuracy_high", "", value=lambda of: mean_interval(of)[3], optional=True, compared=False),
    Metric(
        "errors",
        "misread images",
        by_seed=misread_counts,
        step=lambda test_images: 1,
        decimals=1,
        bounds=ANY_COUNT,
    ),
    Metric("loss", "loss", by_seed=losses, decimals=4, stored_decimals=6, bounds=ANY_COUNT),
    Metric(
        "best_epoch_accuracy",
        "best epoch's accuracy, %",
        by_seed=best_epoch_accuracies,
        step=_one_image,
    ),
    Metric("train_accuracy", "train accuracy, %", value=train_accuracy),
    Metric("train_accuracy_running", "train accuracy while training, %", by_seed=running_train_accuracies),
    Metric(
        "gap",
        "train minus test accuracy, points",
        value=lambda of: train_accuracy(of) - mean_interval(of)[0],
        bounds=(-100, 100),
    ),
    Metric(
        "reached_epoch",
        "first epoch at the target",
        value=reached_epoch,
        decimals=0,
        bounds=(1, MOST),
        optional=True,
    ),
    Metric(
        "held_epochs", "last epochs at the target", value=epochs_at_target, decimals=0, bounds=ANY_COUNT, optional=True
    ),
    Metric("holdout_accuracy", "holdout accuracy, %", value=holdout_accuracy, optional=True),
    Metric("parameters", "parameters", value=lambda of: parameters(of.recipe), decimals=0, bounds=(1, MOST)),
)
BY_KEY = {metric.key: metric for metric in METRICS}
PRIMARY = next(metric for metric in METRICS if metric.primary)


def metrics(evaluation: Evaluation) -> dict:
    """Return metrics.json as a flat dict: means over the seeds, None for what does not apply."""
    return {metric.key: metric.of(evaluation) for metric in METRICS}


def headline(rung: str, seeds: int, values: dict, test_images: int) -> str:
    """Return one line on a rung's metrics.json. Raises KeyError or TypeError for values that are not of one."""
    accuracy, low, high = (values[key] for key in ("accuracy", "accuracy_low", "accuracy_high"))
    low, high = (None if end is None else number(end, PRIMARY.decimals) for end in (low, high))
    ends = f"95 % interval {low} to {high}" if low is not None else "one seed, so no interval"
    of_seeds = f"mean of {seeds} seeds" if seeds > 1 else "seed 0"
    misread = number(values["errors"], BY_KEY["errors"].decimals).removesuffix(".0")
    read = f"{number(accuracy, PRIMARY.decimals)} % of {test_images:,} test images read correctly"
    return f"{rung}: {read}, {of_seeds} ({ends}); {misread} misread"


def shortened(value: object, limit: int = 40) -> str:
    """Return a value as Python writes it, cut to `limit` characters; of a long list or mapping just its kind."""
    if isinstance(value, list | dict):
        return "a list" if isinstance(value, list) else "a mapping"
    if isinstance(value, int) and abs(value) >= 10**limit:
        return "a number of more than 40 digits"
    return cut(repr(value), limit)


def _mean(values: list, decimals: int) -> float:
    """Return a mean, rounded as numpy rounds: Python's rule would change the last digit of some committed reports."""
    return float(np.round(np.mean(values), decimals))


def _last_epoch(rows: list[dict], column: str) -> list[float]:
    """Return a column's values of the last epoch, one a seed."""
    end = max((row["epoch"] for row in rows), default=0)
    return [row[column] for row in rows if row["epoch"] == end]


def _epochs_at_target(evaluation: Evaluation) -> dict[int, bool]:
    """Return {epoch: whether the mean accuracy of the seeds is at the target or above}; nothing without a target."""
    if evaluation.target is None:
        return {}
    by_epoch = defaultdict(list)
    for row in evaluation.tables.curves:
        by_epoch[row["epoch"]].append(row["accuracy"])
    return {epoch: round(fmean(values), 6) >= evaluation.target for epoch, values in by_epoch.items()}
