"""The ladder's rungs side by side: what each one reached, what it changed, and what was reported of it."""

from collections.abc import Mapping
from statistics import fmean

from scipy.stats import false_discovery_control

from ladder.cards import Card, lineage
from ladder.comparison.differences import collapsed, compare
from ladder.comparison.reports import Report
from ladder.evaluation import stats
from ladder.evaluation.metrics import BY_KEY, PRIMARY
from ladder.exceptions import LadderError

NOT_CONTRADICTED, ABOVE, BELOW = "not contradicted", "above ours", "below ours"  # what a reported accuracy is
BEST = "best epoch"
STEP = ("change", "low", "high", "verdict", "p", "margin")
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
    rows = [
        {
            "rung": rung,
            "project": project,
            "against": cards[rung].baseline,
            "title": " ".join(cards[rung].title.split()),
        }
        | _reached(rung, reports[rung])
        | _step(reports.get(cards[rung].baseline), reports[rung])
        | _reported(cards[rung].reported, reports[rung])
        | _parents_number(rung, cards, reports)
        | _by_kind(reports[rung])
        for rung, project in in_order(cards).items()
        if rung in reports
    ]
    return with_q(rows)


def with_q(rows: list[dict]) -> list[dict]:
    """Return the rows with each step's q-value: Benjamini and Hochberg's, of all steps that have a p-value.

    Of the steps with q at most 0.05, at most 5 % are false on average (Y. Benjamini and Y. Hochberg, 1995).
    """
    ps = [row["step_p"] for row in rows if row["step_p"] is not None]
    q_of = dict(zip(ps, false_discovery_control(ps).tolist(), strict=True))
    return [row | {"step_q": q_of.get(row["step_p"])} for row in rows]


def _by_kind(report):
    """Return the error rate in percent for each kind of people that made test images, and the seeds that collapsed."""
    test = report.test
    rates = {
        f"misread_{name}": 100 * float(report.misread[:, test.kind == int(kind)].mean())
        for kind, name in (test.kinds or {}).items()
        if test.kind is not None and (test.kind == int(kind)).any()
    }
    return rates | {"collapsed_seeds": len({lost["seed"] for lost in collapsed(report)})}


def _parents_number(rung, cards, reports):
    """Return whether the number reported of the parent would not be contradicted by this rung's runs either."""
    parent = cards.get(cards[rung].baseline)
    if parent is None or not cards[rung].reported or not parent.reported or parent.reported.test_accuracy is None:
        return {"parents_fits": None}
    as_if = cards[rung].reported.model_copy(update={"test_accuracy": parent.reported.test_accuracy})
    return {"parents_fits": _reported(as_if, reports[rung])["reported_verdict"] == NOT_CONTRADICTED}


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
        return dict.fromkeys((*(f"step_{key}" for key in STEP), "new_writers_low", "new_writers_high"))
    found = compare(baseline, report)
    writers = found["new_writers"] or {}
    step = {f"step_{key}": found.get(key) for key in STEP}
    return step | {f"new_writers_{end}": writers.get(end) for end in ("low", "high")}


def _reported(reported, report):
    """Return what was reported of a rung, and whether one more run of ours might say the same."""
    test = reported and reported.test_accuracy
    kind = None if test is None else reported.test_is
    low, high, verdict, margin = None, None, None, None
    ours = report.by_seed["best_epoch_accuracy" if kind == BEST else "accuracy"]
    if test is not None and len(ours) > 1:
        run = stats.next_run(ours, resolution=100 / report.misread.shape[1])
        _, low, high = run.interval
        margin = stats.Difference(run.change - test, run.error, run.freedom).margin
        low, high = max(round(low, 2), 0.0), min(round(high, 2), 100.0)  # two decimals, as people report
        verdict = ABOVE if test > high else BELOW if test < low else NOT_CONTRADICTED
    return {
        "reported_train": reported and reported.train_accuracy,
        "reported_test": test,
        "reported_is": kind,
        "next_run_low": low,
        "next_run_high": high,
        "reported_verdict": verdict,
        "reported_margin": margin,
    }
