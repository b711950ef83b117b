"""The difference between two reports, as facts: plain mappings, lists, numbers and text, as JSON has them."""

import difflib
from statistics import fmean

import numpy as np

from ladder.cards import natural
from ladder.comparison.locks import NotMeasuredError
from ladder.comparison.parsing import yaml_mapping
from ladder.comparison.recipes import of_another_version, one_recipe, recipe_changes
from ladder.comparison.reports import Report, read_report
from ladder.comparison.snapshots import CARDS, FOLDER, Snapshot
from ladder.data.data_set import with_article
from ladder.evaluation import stats
from ladder.evaluation.metrics import BY_KEY, PRIMARY, Metric
from ladder.exceptions import LadderError
from ladder.names import is_name
from ladder.paths import rung_folder

MOST_LINES = 2000  # that are matched one by one, which takes time with the square of their number


def compare_snapshots(before: Snapshot, after: Snapshot) -> dict:
    """Return the facts on all that differs between two Snapshots: the pipeline's own reports, then the ladder's rungs.

    Where one of the two is a single rung, just its folder is compared with the other's. A rung that was replanned but
    not yet climbed is listed, not compared. Raises LadderError.
    """
    for snapshot in (before, after):
        snapshot.text(f"{snapshot.folder}/metrics.json")  # raises where there are no reports at all
    whole = before.folder == after.folder == FOLDER
    old, new = (snapshot.rungs() if whole else set() for snapshot in (before, after))
    comparisons, not_measured = _changed_rungs(before, after, sorted(old & new, key=natural))
    return {
        "before": before.name,
        "after": after.name,
        "comparisons": _changed_reports(before, after, None) + comparisons,
        "not_measured": not_measured,
        "new_rungs": [_new_rung(after, rung) for rung in sorted(new - old, key=natural)],
        "lost_rungs": sorted(old - new, key=natural),
    }


def compare(before: Report, after: Report) -> dict:
    """Return the facts on two Reports. Raises LadderError where they are of different test sets."""
    _check_same_images(before, after)
    fixed, broken = _changed_images(before, after)
    return {
        "before": before.name,
        "after": after.name,
        "seeds": [len(before.misread), len(after.misread)],
        "data": before.data,
        "test_images": before.misread.shape[1],
        "classes": list(before.test.classes),
        "maker": before.test.maker,
        "same_results": _same_results(before, after),
        **_judged(before, after),
        "metrics": _rows(before, after),
        "collapsed": [lost for report in (before, after) for lost in collapsed(report, _labels(before, after))],
        "images": {"fixed": fixed, "broken": broken, "net": len(fixed) - len(broken)},
        "recipe": recipe_changes(before.recipe, after.recipe),
        "one_recipe": one_recipe(before.recipe, after.recipe),
        "of_another_version": [side.name for side in (before, after) if of_another_version(side.recipe)],
        "lines": {file: _changed_lines(old, after.lines.get(file, old)) for file, old in before.lines.items()},
    }


def collapsed(report: Report, labels: np.ndarray | None = None) -> list[dict]:
    """Return the seeds of a Report that misread at least half of the images of a class after the last epoch.

    labels: int [images], where the report does not know them itself; where nobody does, no seed is found. Each seed
    has the report's name, the class's name, the percentage of its images that are misread, and the first epoch from
    which on the seed's accuracy stays as low as without half of that class.
    """
    labels = report.test.labels if report.test.labels is not None else labels
    if labels is None:
        return []
    found = []
    for seed, (misread, curve) in enumerate(zip(report.misread, report.curves, strict=True)):
        for label, members in enumerate(np.bincount(labels).tolist()):
            lost = int(misread[labels == label].sum())
            if members and 2 * lost >= members:
                name = report.test.classes[label]
                about = {"of": report.name, "seed": seed, "class": name, "misread": 100 * lost / members}
                found.append(about | {"since_epoch": _low_since(curve, 100 - 50 * members / len(misread))})
    return found


def _low_since(curve, limit):
    """Return the epoch (from 1) from which on accuracies stay at the limit or below, at most the last one.

    curve: float [epochs].
    """
    above = np.flatnonzero(curve > limit)
    return min(int(above[-1]) + 2 if len(above) else 1, len(curve))


def _changed_rungs(before, after, rungs):
    """Return the comparisons of the rungs that differ, and what is said of those that cannot be compared yet."""
    comparisons, not_measured = [], []
    for rung in rungs:
        try:
            comparisons += _changed_reports(before, after, rung)
        except NotMeasuredError as error:
            not_measured.append(str(error))
    return comparisons, not_measured


def _changed_reports(before, after, rung):
    """Return a list with the comparison of one rung in two Snapshots, or of what they stand for; empty where equal."""
    folders = [rung_folder(rung).as_posix() if rung else snapshot.folder for snapshot in (before, after)]
    if before.of_folder(folders[0]) == after.of_folder(folders[1]):
        return []
    old, new = (_report(*of, rung) for of in zip((before, after), folders, strict=True))
    return [compare(old, new) | {"rung": rung, "step": _step(after, rung, new) if rung else None}]


def _report(snapshot, folder, rung):
    """Return a folder's Report. Its name is the rung where that was asked for, else it says where the rung is."""
    if rung:
        return read_report(snapshot, folder, f"{rung} of {snapshot.name}")
    return read_report(snapshot, folder, None if folder == FOLDER else snapshot.name)


def _step(snapshot, rung, report):
    """Return the comparison of a rung's Report with the one it is judged against, or None where that has no reports."""
    baseline = _baseline(snapshot, rung)
    if baseline not in snapshot.rungs():
        return None
    return compare(_report(snapshot, rung_folder(baseline).as_posix(), baseline), report)


def _new_rung(snapshot, rung):
    """Return the facts on a rung that only the second Snapshot has, and on its step from the rung it is judged by."""
    facts = {"rung": rung, "baseline": _baseline(snapshot, rung), "comparison": None}
    try:
        report = _report(snapshot, rung_folder(rung).as_posix(), rung)
        facts["comparison"] = _step(snapshot, rung, report)
    except NotMeasuredError as error:
        return facts | {"not_measured": str(error)}
    mean, deviation, _, _ = stats.mean_interval(report.by_seed[PRIMARY.key], PRIMARY.step(report.misread.shape[1]))
    seeds = len(report.misread)
    return facts | {
        "seeds": seeds,
        PRIMARY.key: mean,
        f"{PRIMARY.key}_sd": deviation,
        "parameters": report.metrics.get("parameters"),
        "collapsed": collapsed(report),
    }


def _baseline(snapshot, rung):
    """Return the name of the rung that a card says it is judged against, on the same data set, or None."""
    data, slash, rung = rung.rpartition("/")
    try:
        card = yaml_mapping(snapshot.files.get(f"{CARDS}/{rung}.yaml", "{}"))
    except ValueError:
        return None  # `plan` says what is wrong with a card
    name = card.get("against") or card.get("extends")
    return f"{data}{slash}{name}" if is_name(name) else None


def _check_same_images(before, after):
    if fault := _other_images(before, after):
        raise LadderError(f"{fault}; only results on the same test images can be compared")


def _other_images(before, after):
    """Return how the test images of two Reports differ, or None."""
    sets = [report.data for report in (before, after)]
    if sets[0] != sets[1]:
        return f"{before.name} was measured on images of {sets[0]} and {after.name} on images of {sets[1]}"
    counts = [report.misread.shape[1] for report in (before, after)]
    if counts[0] != counts[1]:
        return f"{before.name} was measured on {counts[0]:,} test images and {after.name} on {counts[1]:,}"
    if len({report.test.sha256 for report in (before, after)} - {None}) > 1:
        fault = "were measured on different test images (test_sha256 in data.json differs)"
        return f"{before.name} and {after.name} {fault}"
    for index in sorted(before.labels.keys() & after.labels.keys()):
        labels = before.labels[index], after.labels[index]
        if labels[0] != labels[1]:
            first, second = (with_article(before.test.classes[label]) for label in labels)
            return f"test image {index} is {first} for {before.name} and {second} for {after.name}"
    return None


def _judged(before, after):
    """Return what the primary metric says: the verdict, and by what it is known."""
    if len(before.misread) == len(after.misread) == 1:
        ends = stats.paired_interval(before.misread[0], after.misread[0])
        differ = ends.low > 0 or ends.high < 0
        return _interval(ends) | {"verdict": stats.DIFFER if differ else stats.OPEN, "new_writers": None}
    old, new, step = before.by_seed[PRIMARY.key], after.by_seed[PRIMARY.key], PRIMARY.step(before.misread.shape[1])
    difference, groups = stats.welch(old, new, step), _groups(before, after)
    lone = min(len(old), len(new)) == 1  # its noise is not known: borrowed from the other side, it may be far off
    writers = stats.new_writers(before.misread, after.misread, groups)
    smallest = stats.smallest_shown(difference.error, min(len(old), len(new)))
    settle = stats.seeds_to_settle(difference.change, stats.seed_deviation(old, new, step))
    return _interval(difference.interval) | {
        "verdict": stats.OPEN if lone else difference.verdict(),
        "p": difference.p,
        "margin": difference.margin,
        "again": difference.again,
        "to_settle": {"seeds": settle, "smallest_shown": smallest},
        "new_writers": _interval(writers.interval) | {"verdict": stats.OPEN if lone else writers.verdict()},
        "writers_known": groups is not None,
        "other_images": after.test.others if groups is not None else "other test images",
    }


def _interval(interval):
    return dict(zip(("change", "low", "high"), interval, strict=True))


def _labels(*reports):
    """Return the label of each test image, int [images], as any of the reports knows it, or None."""
    return next((report.test.labels for report in reports if report.test.labels is not None), None)


def _groups(before, after):
    """Return who made each test image, int [images], as either report knows it, or None."""
    return next((report.test.groups for report in (after, before) if report.test.groups is not None), None)


def _rows(before, after):
    """Return the facts on each metric, those with one value a seed first. They describe; one alone is judged."""
    shared = [BY_KEY[key] for key in before.by_seed if key in after.by_seed]
    rows = [_repeated(metric, before, after) for metric in shared]
    done = {metric.key for metric in shared}
    others = [key for key in {**before.metrics, **after.metrics} if key not in done]
    shown = [key for key in others if key not in BY_KEY or BY_KEY[key].compared]
    return rows + [_row(key, before.metrics.get(key), after.metrics.get(key)) for key in shown]


def _repeated(metric: Metric, before: Report, after: Report) -> dict:
    """Return the facts on a metric that each seed has: its interval too, where some side has several seeds."""
    old, new, step = before.by_seed[metric.key], after.by_seed[metric.key], metric.step(before.misread.shape[1])
    row = _row(metric.key, fmean(old), fmean(new))
    if metric.key == "loss" and _minimised(before.recipe) != _minimised(after.recipe):
        return row | {"change": None, "not_compared": "they minimise different losses"}
    if len(old) + len(new) > 2:
        row |= _interval(stats.welch(old, new, step).interval)
    return row


def _minimised(recipe):
    """Return what tells whether two recipes minimise the same: the loss, what it is given, and the label smoothing.

    Cross-entropy is the negative log-likelihood of a log-softmax. Behind a log-softmax it changes nothing; behind a
    softmax it is another loss.
    """
    loss, ending = recipe.get("loss"), (recipe.get("network") or [None])[-1]
    if loss == "cross_entropy" and ending != "softmax":
        loss, ending = "nll", "log_softmax"
    return loss, ending if ending in ("softmax", "log_softmax") else None, recipe.get("label_smoothing") or 0


def _row(key, before, after):
    """Return the facts on a metric without repeated values: no interval."""
    change = None if before is None or after is None else after - before
    return {"metric": key, "before": before, "after": after, "change": change, "low": None, "high": None}


def _same_results(before, after):
    return before.by_seed["loss"] == after.by_seed["loss"] and np.array_equal(before.misread, after.misread)


def _changed_images(before, after):
    """Return (fixed, broken): the images that more than half of the seeds misread on one side, fewer on the other.

    Exactly half is neither, so that equal recipes fix as many as they break, whatever their numbers of seeds. The most
    consistent come first: misread by all seeds of one side and by none of the other.
    """
    rates = np.array([before.misread.mean(axis=0), after.misread.mean(axis=0)])
    wrong, right = rates > 0.5, rates < 0.5
    order = np.argsort(-abs(rates[1] - rates[0]), kind="stable").tolist()
    fixed = [_image(index, before, before, after) for index in order if wrong[0, index] and right[1, index]]
    broken = [_image(index, after, before, after) for index in order if wrong[1, index] and right[0, index]]
    return fixed, broken


def _image(index, misreader, before, after):
    """Return the facts on a changed image; who made it, and what kind of people those are, where that is known."""
    group, kind = (None if known is None else int(known[index]) for known in (after.test.groups, after.test.kind))
    return {
        "index": index,
        "label": misreader.labels[index],
        "read_as": misreader.predictions[index].most_common(1)[0][0],
        "misread_by": [int(report.misread[:, index].sum()) for report in (before, after)],
        "writer": group,
        "kind": (after.test.kinds or {}).get(str(kind)),
    }


def _changed_lines(before, after):
    """Return the lines that went, as '-...', and came, as '+...', in the order of the file."""
    if max(len(before), len(after)) > MOST_LINES and before != after:
        return [f"-{line}" for line in before] + [f"+{line}" for line in after]
    lines = list(difflib.unified_diff(before, after, n=0, lineterm=""))[2:]
    return [line for line in lines if not line.startswith("@@")]
