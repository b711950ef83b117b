"""Rungs on several data sets side by side: does a step that helps on one help on the other?"""

from collections.abc import Mapping

from ladder.board.cells import change_cell, reached_cell
from ladder.comparison.markdown import escaped
from ladder.evaluation.stats import BETTER, WORSE


def beside(rows: list[dict], others: Mapping[str, list[dict]]) -> list[str]:
    """Return a section of the board for each further data set, as Markdown.

    rows: of `ladder.board.rows.facts` on the default data set; others: {title of another: its rows}.
    """
    return [_section(rows, title, of_other) for title, of_other in others.items()]


def _section(rows, title, others):
    here, title = {row["rung"]: row for row in rows}, escaped(title)
    pairs = [(here[row["rung"]], row) for row in others if row["rung"] in here]
    heads = ("rung", "parameters", "MNIST", title, "the step on MNIST", f"the step on {title}", "shown")
    lines = [
        f"## {title}",
        "",
        f"Rungs that were trained on {title}, too; accuracies and steps as above, *q* over the steps of each. "
        f"{_summary(pairs, title)}",
        "",
        f"| {' | '.join(heads)} |",
        "|---|--:|--:|--:|---|---|---|",
        *(f"| {' | '.join(_cells(*pair, title))} |" for pair in pairs),
    ]
    alone = [f"{row['rung']} {reached_cell(row)}" for row in others if row["rung"] not in here]
    return "\n".join(lines + (["", f"Not climbed on MNIST: {', '.join(alone)}."] if alone else []))


def _summary(pairs, title):
    """Return how many steps are known on both data sets, where they show something, and which point opposite ways."""
    steps = [(mine, other) for mine, other in pairs if _known(mine, other)]
    if not steps:
        return "No step is known on both."
    shown = [_where(mine, other) for mine, other in steps]
    counts = ", ".join(f"{shown.count(key)} {place}" for key, place in _places(title).items())
    contrary = [other["rung"] for mine, other in steps if _opposite(mine, other)]
    last = f"Better on one and worse on the other: {', '.join(contrary) or 'none'}."
    return f"Of {len(steps)} step{'s' * (len(steps) != 1)} known on both, shown to be better or worse: {counts}. {last}"


def _cells(mine, other, title):
    of_sets = (mine, other)
    against = f" ← {other['against']}" if other["against"] else ""
    parameters = " / ".join(dict.fromkeys(f"{row['parameters']:,}" for row in of_sets))
    agreement = _agreement(mine, other, title) if _known(mine, other) else ""
    return (f"{other['rung']}{against}", parameters, *map(reached_cell, of_sets), *map(change_cell, of_sets), agreement)


def _known(*rows):
    return all(row["step_verdict"] is not None for row in rows)


def _where(mine, other):
    """Return on which of the two data sets a step is shown to be better or worse."""
    return tuple(row["step_verdict"] in (BETTER, WORSE) for row in (mine, other))


def _places(title):
    """Return {what `_where` returns: how it is said} of the steps that are shown somewhere."""
    return {(True, True): "on both", (True, False): "on MNIST only", (False, True): f"on {title} only"}


def _opposite(mine, other):
    return all(_where(mine, other)) and mine["step_verdict"] != other["step_verdict"]


def _agreement(mine, other, title):
    """Return where a step is shown to be better or worse, and whether the signs of its changes differ."""
    if _opposite(mine, other):
        return "**opposite**"
    differ = (mine["step_change"] < 0) != (other["step_change"] < 0)
    return f"{_places(title).get(_where(mine, other), 'on neither')}{'; signs differ' if differ else ''}"
