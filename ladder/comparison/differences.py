"""The difference between two reports, as facts: plain mappings, lists, numbers and text, as JSON has them."""

import difflib
from statistics import fmean

import numpy as np

from ladder.cards import natural
from ladder.comparison.reports import FOLDER, NotMeasuredError, read_report
from ladder.evaluation import stats
from ladder.exceptions import LadderError

DIRECTIONS = {"accuracy": 1, "errors": -1, "loss": -1, "best_epoch_accuracy": 1, "train_accuracy_running": 0}
OF_IMAGES = ("accuracy", "best_epoch_accuracy")  # a step is one image
HIDDEN = ("accuracy_low", "accuracy_high")  # the interval of one side says nothing on the change
ROUNDING = 1e-6  # of losses and train accuracies in the reports


def compare_trees(before, after):
    """Return the facts on all that differs between two Trees: the pipeline's own reports, then the ladder's rungs.

    Where one of the two is a single rung, just its folder is compared with the other's. Raises LadderError. A rung that
    nobody asked for, and that is planned anew but not climbed yet, is only told of.
    """
    whole = before.folder == after.folder == FOLDER
    old, new = (tree.rungs() if whole else set() for tree in (before, after))
    pairs = [(before.folder, after.folder, None)]
    pairs += [(f"{FOLDER}/rungs/{rung}", f"{FOLDER}/rungs/{rung}", rung) for rung in sorted(old & new, key=natural)]
    before.text(f"{before.folder}/metrics.json")
    after.text(f"{after.folder}/metrics.json")
    comparisons, not_measured = [], []
    for folder, other, rung in pairs:
        if before.of_folder(folder) != after.of_folder(other):
            try:
                comparisons.append(compare(_report(before, folder, rung), _report(after, other, rung)))
            except NotMeasuredError as error:
                if rung is None:
                    raise
                not_measured.append(str(error))
    return {
        "before": before.name,
        "after": after.name,
        "comparisons": comparisons,
        "not_measured": not_measured,
        "new_rungs": sorted(new - old, key=natural),
        "lost_rungs": sorted(old - new, key=natural),
    }


def compare(before, after):
    """Return the facts on two Reports. Raises LadderError where they are of different test sets."""
    images = before.misread.shape[1]
    if images != after.misread.shape[1]:
        raise LadderError(
            f"{before.name} and {after.name} have not the same test images; compare runs on the same data"
        )
    single = len(before.misread) == len(after.misread) == 1
    fixed, broken = _changed_images(before, after)
    p, gained = stats.mcnemar(len(fixed), len(broken)) if single else (None, None)
    held = None if single else stats.new_digits(before.misread, after.misread)
    shared = [metric for metric in DIRECTIONS if metric in before.by_seed and metric in after.by_seed]
    rows = [_repeated(metric, before, after, gained) for metric in shared]
    bare = [name for name in before.metrics | after.metrics if name not in (*shared, *HIDDEN)]
    rows += [_row(name, before.metrics.get(name), after.metrics.get(name)) for name in bare]
    return {
        "before": before.name,
        "after": after.name,
        "seeds": [len(before.misread), len(after.misread)],
        "test_images": images,
        "verdict": rows[0]["verdict"],
        "same_results": _same(before, after),
        "metrics": rows,
        "mcnemar_p": p,
        "new_digits": held and {"low": held.low, "high": held.high, "verdict": stats.verdict(held)},
        "images": {"fixed": fixed, "broken": broken, "net": len(fixed) - len(broken)},
        "lines": {file: _changed_lines(old, after.lines.get(file, old)) for file, old in before.lines.items()},
    }


def _report(tree, folder, rung):
    """Return a folder's Report; its name is the rung where that was asked for, else it says where the rung is."""
    if rung:
        return read_report(tree, folder, f"{rung} of {tree.name}")
    return read_report(tree, folder, None if folder == FOLDER else tree.name)


def _same(before, after):
    return before.by_seed["loss"] == after.by_seed["loss"] and np.array_equal(before.misread, after.misread)


def _step(metric, images):
    """Return the distance between two neighbouring values of a metric, for so many test images."""
    if metric in OF_IMAGES:
        return 100 / images
    return 1 if metric == "errors" else ROUNDING


def _repeated(metric, before, after, gained):
    """Return the facts on a metric that each seed has. gained: McNemar's Interval in images, for single runs."""
    images = before.misread.shape[1]
    old, new, step = before.by_seed[metric], after.by_seed[metric], _step(metric, images)
    row = _row(metric, fmean(old), fmean(new))
    if len(old) + len(new) > 2:
        interval = stats.welch(old, new, step)
        row |= {"low": interval.low, "high": interval.high, "verdict": _verdict(interval, DIRECTIONS[metric])}
        if row["verdict"] == stats.OPEN and DIRECTIONS[metric]:
            row["to_settle"] = _to_settle(interval.change, old, new, step)
    elif metric in ("accuracy", "errors"):
        scale = step if metric == "accuracy" else -1
        low, high = sorted((scale * gained.low, scale * gained.high))
        row |= {"low": low, "high": high, "verdict": stats.verdict(gained)}
    return row


def _row(metric, before, after):
    """Return the facts on a metric without repeated values: no interval, no verdict."""
    change = None if before is None or after is None else after - before
    empty = {"low": None, "high": None, "verdict": None, "to_settle": None}
    return {"metric": metric, "before": before, "after": after, "change": change} | empty


def _verdict(interval, direction):
    """A running train accuracy is neither good nor bad: augmentation lowers it on purpose."""
    if direction:
        return stats.verdict(interval, direction)
    return {stats.BETTER: "higher", stats.WORSE: "lower"}.get(stats.verdict(interval), stats.OPEN)


def _to_settle(change, before, after, step):
    return {
        "seeds": stats.seeds_to_settle(change, stats.seed_deviation(before, after, step)),
        "smallest_shown": stats.smallest_shown(before, after, step),
    }


def _changed_images(before, after):
    """Return (fixed, broken): the images that more than half of the seeds misread on one side, but not on the other.

    The most consistent first: misread by all seeds of one side and by none of the other.
    """
    rates = np.array([before.misread.mean(axis=0), after.misread.mean(axis=0)])
    wrong = rates > 0.5
    order = np.argsort(-abs(rates[1] - rates[0]), kind="stable").tolist()
    fixed = [_image(index, before, before, after) for index in order if wrong[0, index] and not wrong[1, index]]
    broken = [_image(index, after, before, after) for index in order if wrong[1, index] and not wrong[0, index]]
    return fixed, broken


def _image(index, misreader, before, after):
    return {
        "index": index,
        "label": misreader.labels[index],
        "read_as": misreader.predictions[index].most_common(1)[0][0],
        "misread_by": [int(report.misread[:, index].sum()) for report in (before, after)],
    }


def _changed_lines(before, after):
    """Return the lines that went, as '-...', and came, as '+...', in the order of the file."""
    lines = list(difflib.unified_diff(before, after, n=0, lineterm=""))[2:]
    return [line for line in lines if not line.startswith("@@")]
