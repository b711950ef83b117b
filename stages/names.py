"""Check all names and the numbers of seeds in rungs/params.yaml, before DVC writes them into any command.

Usage:  python -m stages.names
Reads:  rungs/params.yaml, the cards in datasets/ of the data sets there
Writes: reports/names.txt, the same line each time: the stages `plan` wait for it, but run again for no change of it
"""

from ladder.command import parser, run_stage
from ladder.data.data_set import read_data_set
from ladder.files import write_text
from ladder.names import check_name
from ladder.paths import REPORTS
from ladder.runs.plans import PARAMS, read_ladder_params

CHECKED = REPORTS / "names.txt"


def main(given: list[str] | None = None) -> None:
    parser("stages.names", __doc__).parse_args(given)
    ladder = read_ladder_params()
    for data in ladder.data_sets:
        read_data_set(data)  # says what is wrong with its card
    for rung in ladder.seeds:
        check_name(rung, f"{PARAMS}: seeds")
    write_text(CHECKED, f"Every name and number of seeds in {PARAMS} may be part of a command.\n")
    print(f"names: {len(ladder.all_seeds)} rungs in {PARAMS}")


if __name__ == "__main__":
    run_stage("names", main)
