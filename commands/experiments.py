"""List DVC's experiments: what each one set, what it reached, and whether that is better than its commit.

Usage:  python -m commands.experiments
Reads:  reports/ and params.yaml of the experiments and of the commits that they began from, through Git
Writes: nothing
"""

from statistics import fmean, stdev

from rich.console import Console
from rich.table import Table
from rich.text import Text

from ladder.command import parser, run_stage
from ladder.comparison.experiments import Result, results
from ladder.comparison.names import unfinished_experiments
from ladder.evaluation.numbers import NONE, interval, number
from ladder.evaluation.stats import BETTER, WORSE

COLOURS = {BETTER: "green", WORSE: "red"}
LEGEND = "±: deviation of the seeds, (n): their number; [ ]: 95 % interval"


def reached(result: Result) -> str:
    """Return "99.11 ± 0.04 (4)": mean accuracy, deviation of the seeds if there are several, their number."""
    values = result.accuracies
    if not values:
        return NONE
    spread = f" ± {number(stdev(values), 2)}" if len(values) > 1 else ""
    return f"{number(fmean(values), 2)}{spread} ({len(values)})"


def change(result: Result) -> str:
    """Return "-0.36 [-0.44, -0.27]", how an experiment differs from its commit, and the 95 % interval."""
    if not result.comparison:
        return NONE
    return f"{number(result.comparison['change'], 2, '+')} {interval(result.comparison, 2)}"


def verdict(result: Result) -> Text:
    """Return what `compare` says of an experiment, coloured."""
    if not result.comparison:
        return Text(NONE, "dim")
    said = "same results" if result.comparison["same_results"] else result.comparison["verdict"]
    return Text(said, COLOURS.get(said, ""))


def table(groups: list[tuple[Result, list[Result]]]) -> Table:
    """Return commits and their experiments as a table that fits a terminal of 80 columns."""
    made = Table(box=None, padding=(0, 1, 0, 0), pad_edge=False, header_style="bold")
    made.add_column("experiment", overflow="fold")
    made.add_column("what it set", overflow="fold")
    for title in ("accuracy, %", "change"):
        made.add_column(title, justify="right", no_wrap=True)
    made.add_column("verdict", overflow="fold")
    for base, runs in groups:
        made.add_row(base.name, "(the commit)", reached(base), style="dim")
        for run in runs:
            made.add_row(Text(run.name), Text("\n".join(run.settings) or NONE), reached(run), change(run), verdict(run))
    return made


def main(given: list[str] | None = None) -> None:
    parser("commands.experiments", __doc__).parse_args(given)
    groups, unfinished = list(results()), unfinished_experiments()
    console = Console(highlight=False)
    if groups:
        console.print(table(groups))
        console.print(LEGEND, style="dim")
        console.print(f"details: python -m commands.compare {groups[0][0].name} {groups[0][1][0].name}", style="dim")
    listed = [result for base, runs in groups for result in (base, *runs)]
    notes = {result.name: result.fault for result in listed if result.fault}
    notes |= {name: state for name, state in unfinished.items() if name not in {result.name for result in listed}}
    for name, note in notes.items():
        console.print(Text(f"{name}: {note}"), soft_wrap=True)
    if not listed and not notes:
        console.print("There are no experiments here; `dvc exp run` makes one, `dvc exp pull` fetches them.")


if __name__ == "__main__":
    run_stage("experiments", main)
