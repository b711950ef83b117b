"""Check the ladder's names and numbers of seeds, before DVC writes them into any command.

Usage:  python -m stages.names
Reads:  rungs/params.yaml, rungs/data_sets.yaml, the cards in datasets/ of the data sets there, rungs/dvc.yaml
Writes: reports/names.txt, the same line each time: the stages `plan` wait for it, but run again for no change of it
"""

from ladder.cards.ladder_params import DATA_SETS, PARAMS, DataSets, read_data_sets, read_seeds
from ladder.command import parser, run_stage
from ladder.data.data_set import read_data_set
from ladder.exceptions import LadderError
from ladder.files import read_yaml, write_text
from ladder.names import check_name
from ladder.paths import PIPELINE, REPORTS

CHECKED = REPORTS / "names.txt"


def check_board(others: DataSets) -> None:
    """Raise LadderError where the board does not wait for the rungs that are climbed on a further data set."""
    waits_for = read_yaml(PIPELINE)["stages"]["board"]["deps"]
    for name, what in others.elsewhere.items():
        if (folder := others.data_sets[what.data]) not in waits_for:
            raise LadderError(
                f"{DATA_SETS}: elsewhere: {name}: the board would not show it; add `- {folder}` to `deps` of the stage "
                f"`board` in {PIPELINE}"
            )


def main(given: list[str] | None = None) -> None:
    parser("stages.names", __doc__).parse_args(given)
    for rung in (seeds := read_seeds()):
        check_name(rung, f"{PARAMS}: seeds")
    others = read_data_sets()
    for data in others.data_sets:
        read_data_set(data)  # says what is wrong with its card
    check_board(others)
    write_text(CHECKED, f"Every name and number of seeds in {PARAMS} may be part of a command.\n")
    print(f"names: {len(seeds) + len(others.elsewhere)} rungs in {PARAMS} and {DATA_SETS}")


if __name__ == "__main__":
    run_stage("names", main)
