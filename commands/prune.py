"""Remove runs from .runs/ that nothing has asked for lately.

Usage:  python -m commands.prune          runs that nothing has asked for in 30 days
        python -m commands.prune <days>
Reads:  .runs/
Writes: nothing; removes folders from .runs/

Nothing is lost but time: a run that is wanted again is trained again, and its bytes are the same.
"""

from ladder.command import parser, run_stage, whole_number


def main(given: list[str] | None = None) -> None:
    reader = parser("commands.prune", __doc__)
    number = whole_number(0, 36_500)
    reader.add_argument("days", nargs="?", type=number, default=30, help="0 to 36500; 30 if not given")
    days = reader.parse_args(given).days
    from ladder.runs import store  # imports torch, two seconds that --help and a wrong argument save

    runs, size = store.prune(days)
    print(f"prune: removed {runs} runs not used for {days} days, {size / 1e6:.1f} MB")


if __name__ == "__main__":
    run_stage("prune", main)
