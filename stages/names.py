"""Check the ladder's names and numbers of seeds, before DVC writes them into any command.

Usage:  python -m stages.names
Reads:  rungs/params.yaml, rungs/data_sets.yaml, the cards in datasets/ of the data sets there
Writes: reports/names.txt, the same line each time: the stages `plan` wait for it, but run again for no change of it
"""

from ladder.cards.ladder_params import DATA_SETS, PARAMS, read_data_sets, read_seeds
from ladder.command import parser, run_stage
from ladder.data.data_set import read_data_set
from ladder.files import write_text
from ladder.names import check_name
from ladder.paths import REPORTS

CHECKED = REPORTS / "names.txt"


def main(given: list[str] | None = None) -> None:
    parser("stages.names", __doc__).parse_args(given)
    for rung in (seeds := read_seeds()):
        check_name(rung, f"{PARAMS}: seeds")
    others = read_data_sets()
    for data in others.data_sets:
        read_data_set(data)  # says what is wrong with its card
    write_text(CHECKED, f"Every name and number of seeds in {PARAMS} may be part of a command.\n")
    print(f"names: {len(seeds) + len(others.elsewhere)} rungs in {PARAMS} and {DATA_SETS}")


if __name__ == "__main__":
    run_stage("names", main)
