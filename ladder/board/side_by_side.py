"""Rungs on several data sets side by side: does a step that helps on one help on the other?"""

from collections.abc import Mapping

from ladder.comparison.markdown import escaped
from ladder.evaluation.numbers import interval, number
from ladder.evaluation.stats import BETTER, WORSE

OPPOSITE = "**opposite**"


def beside(rows: list[dict], others: Mapping[str, list[dict]]) -> list[str]:
    """Return a section of the board for each further data set, as Markdown.

    rows: of `ladder.board.rows.facts` on the default data set; others: {title of another: its rows}.
    """
    return [_section(rows, title, of_other) for title, of_other in others.items()]


def _section(rows, title, others):
    here, title = {row["rung"]: row for row in rows}, escaped(title)
    pairs = [(here[row["rung"]], row) for row in others if row["rung"] in here]
    heads = ("rung", "parameters", "MNIST", title, "the step on MNIST", f"the step on {title}", "the two")
    lines = [
        f"## {title}",
        "",
        f"Rungs that were trained on {title}, too; accuracies and steps as above. {_summary(pairs)}",
        "",
        f"| {' | '.join(heads)} |",
        "|---|--:|--:|--:|---|---|---|",
        *(f"| {' | '.join(_cells(*pair))} |" for pair in pairs),
    ]
    alone = [f"{row['rung']} {_reached(row)}" for row in others if row["rung"] not in here]
    return "\n".join(lines + (["", f"Not climbed on MNIST: {', '.join(alone)}."] if alone else []))


def _summary(pairs):
    """Return how many steps are known on both data sets, and which point in opposite directions."""
    steps = [(mine, other) for mine, other in pairs if _known(mine, other)]
    if not steps:
        return "No step is known on both."
    contrary = [other["rung"] for mine, other in steps if _agreement(mine, other) == OPPOSITE]
    shown = f"better on one and worse on the other: {', '.join(contrary)}" if contrary else "none is shown to help on "
    known = f"{len(steps)} step{'s' * (len(steps) != 1)} known on both"
    return f"Of {known}, {shown}{'' if contrary else 'one and to harm on the other'}."


def _cells(mine, other):
    of_sets = (mine, other)
    against = f" ← {other['against']}" if other["against"] else ""
    parameters = " / ".join(dict.fromkeys(f"{row['parameters']:,}" for row in of_sets))
    agreement = _agreement(mine, other) if _known(mine, other) else ""
    return (f"{other['rung']}{against}", parameters, *map(_reached, of_sets), *map(_step, of_sets), agreement)


def _reached(row):
    spread = f" ± {number(row['accuracy_sd'], 2)}" if row["accuracy_sd"] is not None else ""
    return f"**{number(row['accuracy'], 2)}**{spread} ({row['seeds']})"


def _step(row):
    if row["step_verdict"] is None:
        return ""
    ends = interval({"low": row["step_low"], "high": row["step_high"]}, 2)
    return f"{row['step_verdict']}<br>{number(row['step_change'], 2, '+')} {ends}"


def _known(*rows):
    return all(row["step_verdict"] is not None for row in rows)


def _agreement(mine, other):
    """Return how two steps agree: in verdict, only in the sign of the change, or not even in that."""
    if (mine["step_change"] < 0) == (other["step_change"] < 0):
        return "same verdict" if mine["step_verdict"] == other["step_verdict"] else "same sign"
    shown = all(row["step_verdict"] in (BETTER, WORSE) for row in (mine, other))
    return OPPOSITE if shown else "signs differ, not shown on both"
