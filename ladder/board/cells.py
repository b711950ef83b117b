"""Cells of the board's tables: what a rung reached, and how it differs from the one that it is judged against."""

from collections.abc import Mapping

from ladder.evaluation.numbers import chance, interval, number
from ladder.evaluation.stats import BETTER, OPEN, WORSE


def reached_cell(row: Mapping) -> str:
    """Return "**99.41** ± 0.07 (5)": the accuracy, the deviation of the seeds if there are several, their number."""
    spread = f" ± {number(row['accuracy_sd'], 2)}" if row["accuracy_sd"] is not None else ""
    return f"**{number(row['accuracy'], 2)}**{spread} ({row['seeds']})"


def change_cell(row: Mapping) -> str:
    """Return a step's verdict, and behind `<br>` its change and interval; '' where nothing is compared."""
    verdict = row["step_verdict"]
    if verdict is None:
        return ""
    if verdict in (BETTER, WORSE):
        q = chance(row["step_q"])
        said = f"**{verdict}**, q {q if q.startswith('<') else f'= {q}'}"
    elif verdict == OPEN or row["step_margin"] is None:
        said = verdict
    else:
        said = f"{verdict} within ±{number(row['step_margin'], 2)}"
    ends = interval({"low": row["step_low"], "high": row["step_high"]}, 2)
    return f"{said}<br>{number(row['step_change'], 2, '+')} {ends}"
