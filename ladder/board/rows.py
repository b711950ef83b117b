"""The ladder's rungs side by side: what each one reached, what it changed, and what was reported of it."""

from collections.abc import Mapping
from statistics import fmean

from ladder.cards import Card, lineage
from ladder.comparison.differences import compare, primary_row
from ladder.comparison.reports import Report
from ladder.evaluation import stats
from ladder.evaluation.metrics import BY_KEY, PRIMARY
from ladder.exceptions import LadderError

REPRODUCED, ABOVE, BELOW = "reproduced", "above ours", "below ours"  # what a reported accuracy is
BEST = "best epoch"
MEASURED = ("parameters", "train_accuracy", "gap", "held_epochs")  # of metrics.json


def facts(cards: Mapping[str, Card], reports: Mapping[str, Report]) -> list[dict]:
    """Return one flat dict a rung, in the order of `in_order`; accuracies in percent, None for what is not known.

    cards: {rung: Card} of the whole ladder; reports: {rung: Report} of the rungs that were climbed.
    `accuracies` holds one number a seed. Numbers are not rounded: whoever shows one rounds it once.
    Raises LadderError for a report without a card and for bad reports.
    """
    stray = next((rung for rung in reports if rung not in cards), None)
    if stray:
        raise LadderError(f"reports/rungs/{stray}/ has no card rungs/cards/{stray}.yaml; remove it, or bring it back")
    return [
        {
            "rung": rung,
            "project": project,
            "against": cards[rung].baseline,
            "title": " ".join(cards[rung].title.split()),
        }
        | _reached(rung, reports[rung])
        | _step(reports.get(cards[rung].baseline), reports[rung])
        | _reported(cards[rung].reported, reports[rung])
        for rung, project in in_order(cards).items()
        if rung in reports
    ]


def in_order(cards: Mapping[str, Card]) -> dict[str, str | None]:
    """Return {rung: source project or None}: by project, parents before children, small branches before large ones.

    An own rung stands with the project of the rung that it extends. cards: {rung: Card}, in the order of
    `rung_names`, which decides between branches of one size. Raises LadderError for a circle.
    """
    children, projects = {}, {}
    for rung, card in cards.items():
        children.setdefault(card.extends, []).append(rung)

    def size(rung):
        return 1 + sum(size(child) for child in children.get(rung, []))

    def visit(rung, project):
        projects[rung] = cards[rung].source.project if cards[rung].source else project
        for child in sorted(children.get(rung, []), key=size):
            visit(child, projects[rung])

    for root in children.get(None, []):
        visit(root, None)
    for rung in cards.keys() - projects.keys():
        lineage(rung)  # says what is wrong: a circle, or no such parent
    return dict(sorted(projects.items(), key=lambda item: (item[1] is None, item[1] or "")))


def _reached(rung, report):
    """Return what a rung's own runs reached."""
    for key in MEASURED:  # `read_report` has checked those that are there
        try:
            BY_KEY[key].check(report.metrics.get(key))
        except ValueError as error:
            raise LadderError(f"reports/rungs/{rung}/metrics.json: {error}; run `dvc repro rungs/dvc.yaml`") from None
    accuracies = report.by_seed[PRIMARY.key]
    mean, deviation, low, high = stats.mean_interval(accuracies, PRIMARY.step(report.misread.shape[1]))
    return {
        "seeds": len(accuracies),
        "accuracies": accuracies,
        "accuracy": mean,
        "accuracy_sd": deviation,
        "accuracy_low": low,
        "accuracy_high": high,
        "best_epoch_accuracy": fmean(report.by_seed["best_epoch_accuracy"]),
        "train_accuracy_running": report.metrics.get("train_accuracy_running"),
    } | {key: report.metrics[key] for key in MEASURED}


def _step(baseline, report):
    """Return what a rung changed from the rung that it is judged against, as `python -m commands.compare` says it."""
    if baseline is None:
        return dict.fromkeys(("step_change", "step_low", "step_high", "step_verdict"))
    row = primary_row(compare(baseline, report))
    return {f"step_{key}": row[key] for key in ("change", "low", "high", "verdict")}


def _reported(reported, report):
    """Return what was reported of a rung, and whether one more run of ours might say the same."""
    test = reported and reported.test_accuracy
    kind = None if test is None else reported.test_is
    low, high, verdict = None, None, None
    ours = report.by_seed["best_epoch_accuracy" if kind == BEST else "accuracy"]
    if test is not None and len(ours) > 1:
        _, low, high = stats.next_run(ours, resolution=100 / report.misread.shape[1])
        low, high = max(round(low, 2), 0.0), min(round(high, 2), 100.0)  # two decimals, as people report
        verdict = ABOVE if test > high else BELOW if test < low else REPRODUCED
    return {
        "reported_train": reported and reported.train_accuracy,
        "reported_test": test,
        "reported_is": kind,
        "next_run_low": low,
        "next_run_high": high,
        "reported_verdict": verdict,
    }
