"""Set the climbed rungs side by side: each with what was reported of it, and with the rung that it is judged against.

Usage:      python -m stages.board
Reads:      reports/rungs/<rung>/{recipe.yaml,metrics.json,curves.csv,errors.csv} of every rung that was climbed,
            reports/data.json, rungs/cards/, docs/records.yaml, the times in benchmarks/ that it names; the same in
            reports/<data set>/ of rungs on further data sets
Writes:     reports/ladder.csv (one row a rung), reports/ladder.md (the same for people; rungs on several data sets),
            reports/ladder_steps.png, reports/ladder_parameters.png,
            and the parts of README.md and docs/records.md between their two `ladder` marks
"""

from pathlib import Path

from ladder.board import records
from ladder.board.page import (
    CLIMB,
    LIMIT,
    PARAMETERS,
    README,
    STEPS,
    behind,
    read_ladder,
    rows_elsewhere,
    summary,
    texts,
)
from ladder.board.rows import facts
from ladder.command import parser, run_stage
from ladder.data.data_set import read_data_set
from ladder.exceptions import LadderError
from ladder.files import write_bytes, write_text
from ladder.paths import DEFAULT_DATA


def main(given: list[str] | None = None) -> None:
    parser("stages.board", __doc__).parse_args(given)
    from ladder.board import pictures  # matplotlib takes half a second, which a test of the texts saves

    known, reports = read_ladder()
    if not reports:
        raise LadderError(f"no rung has been climbed: there is no reports/rungs/<rung>/metrics.json; `{CLIMB}`")
    target = read_data_set(DEFAULT_DATA).target
    if target is None:
        raise LadderError(
            f"datasets/{DEFAULT_DATA}.yaml: it has no `target`, which the board needs; add one, in percent"
        )
    rows = facts(known, reports)
    readme, late = Path(README).read_text(encoding="utf-8"), behind(reports)
    written = texts(rows, known, target, readme, late, rows_elsewhere())
    written |= records.texts(rows, reports, late)
    write_bytes(STEPS, pictures.steps(rows, target))
    write_bytes(PARAMETERS, pictures.parameters(rows, target, LIMIT))
    for path, text in written.items():
        write_text(path, text)
    print(f"board: {summary(rows)}")


if __name__ == "__main__":
    run_stage("board", main)
