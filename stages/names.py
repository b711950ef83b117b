"""Check the names and the numbers of seeds in rungs/params.yaml, before DVC writes them into any command.

Usage:  python -m stages.names
Reads:  rungs/params.yaml
Writes: reports/names.txt, the same line each time: the stages `plan` wait for it, but run again for no change of it
"""

from ladder import cards
from ladder.command import parser, run_stage
from ladder.files import read_yaml, write_text
from ladder.names import check_name
from ladder.paths import REPORTS
from ladder.runs.plans import PARAMS, Ladder

CHECKED = REPORTS / "names.txt"


def main(given: list[str] | None = None) -> None:
    parser("stages.names", __doc__).parse_args(given)
    seeds = cards.validated(Ladder, read_yaml(PARAMS), PARAMS).seeds
    for rung in seeds:
        check_name(rung, f"{PARAMS}: seeds")
    write_text(CHECKED, f"Every name and number of seeds in {PARAMS} may be part of a command.\n")
    print(f"names: {len(seeds)} rungs in {PARAMS}")


if __name__ == "__main__":
    run_stage("names", main)
