"""Train what the ladder lacks, many runs side by side, so that no core waits while DVC takes its stages one by one.

Usage:  python -m commands.train_ladder               every rung whose stage `climb` DVC would run, on all data sets
        python -m commands.train_ladder <rung> ...    these rungs, such as net9 or fashion_mnist/sprint
Reads:  rungs/params.yaml, the rungs' recipe.yaml in reports/, data/sets/<data set>/processed/train.safetensors
Writes: .runs/

`dvc repro rungs/dvc.yaml` then finds the runs in .runs/ and only measures them; `make climb` does both. Where the
environment variable DASK_SCHEDULER_ADDRESS is set, the runs are trained on that Dask cluster.
"""

import json
import subprocess
import sys

from ladder import cards, machine
from ladder.command import parser, run_stage, rung
from ladder.data.splits import read_split
from ladder.exceptions import LadderError
from ladder.names import is_rung, refusal
from ladder.paths import PIPELINE
from ladder.runs.plans import plan_stage, read_plan, seeds_of, warn_if_bits_differ


def stale() -> list[str]:
    """Return the rungs whose stage `climb` DVC would run."""
    command = [sys.executable, "-m", "dvc", "status", "--json", str(PIPELINE)]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        said = done.stderr.strip().splitlines() or ["it says nothing"]
        raise LadderError(f"`dvc status {PIPELINE}` failed: {said[-1]}")
    stages = (stage.partition("@") for stage in json.loads(done.stdout))
    rungs = [rung for stage, _, rung in stages if stage in (f"{PIPELINE}:climb", f"{PIPELINE}:climb_elsewhere")]
    if strange := next((rung for rung in rungs if not is_rung(rung)), None):
        raise LadderError(f"{PIPELINE}: {refusal(strange)}")
    return rungs


def main(given: list[str] | None = None) -> None:
    reader = parser("commands.train_ladder", __doc__)
    reader.add_argument(
        "rungs", nargs="*", metavar="rung", type=rung, help="a name in rungs/params.yaml or data_sets.yaml"
    )
    asked = reader.parse_args(given).rungs
    wanted = seeds_of(asked or stale())
    by_data = {}
    for recipe in map(read_plan, wanted):
        by_data.setdefault(recipe.data, []).append(recipe)
    trained = [train(data, recipes, wanted) for data, recipes in by_data.items()]
    print("train_ladder: all trained" if any(trained) else f"train_ladder: nothing to train for {_rungs(wanted)}")


def train(name: str, recipes: list[cards.Recipe], wanted: dict[str, int]) -> bool:
    """Train what the store lacks of Recipes on one data set. Return whether it lacked anything.

    wanted: {rung: number of seeds}.
    """
    # these import torch, which takes seconds
    from ladder.runs import store
    from ladder.runs.pool import computed_here, train_many, training_pool

    data = read_split("train", name)

    def missing(recipe):
        folders = {seed: store.folder_of(recipe, data, seed) for seed in range(wanted[recipe.name])}
        return [(recipe, seed) for seed, folder in folders.items() if store.count(folder) < recipe.epochs]

    due = [recipe for recipe in recipes if missing(recipe)]
    if not due:
        return False
    runs = sum(len(missing(recipe)) for recipe in due)
    with training_pool(min(machine.workers(), runs)) as executor:
        found = computed_here(due, executor)
        due = [warn_if_bits_differ(recipe, found[recipe.name], plan_stage(recipe.name)) for recipe in due]
        runs = [run for recipe in due for run in missing(recipe)]
        print(f"train_ladder: {len(runs)} runs of {_rungs(due)}", flush=True)
        train_many(runs, data, executor)
    return True


def _rungs(rungs):
    return f"{len(rungs)} rung{'s' * (len(rungs) != 1)}"


if __name__ == "__main__":
    run_stage("train_ladder", main)
