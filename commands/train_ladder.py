"""Train what the ladder lacks, many runs side by side, so that no core waits while DVC takes its stages one by one.

Usage:  python -m commands.train_ladder               every rung whose stage `climb` DVC would run
        python -m commands.train_ladder <rung> ...    these rungs
Reads:  rungs/params.yaml, reports/rungs/<rung>/recipe.yaml, data/processed/train.safetensors
Writes: .runs/

`dvc repro rungs/dvc.yaml` then finds the runs in .runs/ and only measures them; `make climb` does both. Where the
environment variable DASK_SCHEDULER_ADDRESS is set, the runs are trained on that Dask cluster.
"""

import json
import subprocess
import sys

from ladder import machine
from ladder.command import name, parser, run_stage
from ladder.data.splits import read_split
from ladder.exceptions import LadderError
from ladder.names import check_name
from ladder.paths import PIPELINE
from ladder.runs.plans import read_plan, seeds_of, warn_if_bits_differ


def stale() -> list[str]:
    """Return the rungs whose stage `climb` DVC would run."""
    command = [sys.executable, "-m", "dvc", "status", "--json", str(PIPELINE)]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        said = done.stderr.strip().splitlines() or ["it says nothing"]
        raise LadderError(f"`dvc status {PIPELINE}` failed: {said[-1]}")
    prefix = f"{PIPELINE}:climb@"
    rungs = [stage.removeprefix(prefix) for stage in json.loads(done.stdout) if stage.startswith(prefix)]
    return [check_name(rung, str(PIPELINE)) for rung in rungs]


def main(given: list[str] | None = None) -> None:
    reader = parser("commands.train_ladder", __doc__)
    reader.add_argument("rungs", nargs="*", metavar="rung", type=name, help="a name in rungs/params.yaml")
    asked = reader.parse_args(given).rungs
    wanted = seeds_of(asked or stale())
    recipes = {rung: read_plan(rung) for rung in wanted}
    # these import torch, which takes seconds
    from ladder.runs import store
    from ladder.runs.pool import computed_here, train_many, training_pool

    data = read_split("train")

    def missing(recipe):
        folders = {seed: store.folder_of(recipe, data, seed) for seed in range(wanted[recipe.rung])}
        return [(recipe, seed) for seed, folder in folders.items() if store.count(folder) < recipe.epochs]

    due = {rung: recipe for rung, recipe in recipes.items() if missing(recipe)}
    if not due:
        print(f"train_ladder: nothing to train for {_rungs(wanted)}")
        return
    runs = sum(len(missing(recipe)) for recipe in due.values())
    with training_pool(min(machine.workers(), runs)) as executor:
        found = computed_here(due.values(), executor)
        due = [warn_if_bits_differ(recipe, found[rung], f"{PIPELINE}:plan@{rung}") for rung, recipe in due.items()]
        runs = [run for recipe in due for run in missing(recipe)]
        print(f"train_ladder: {len(runs)} runs of {_rungs(due)}", flush=True)
        train_many(runs, data, executor)
    print("train_ladder: all trained")


def _rungs(rungs):
    return f"{len(rungs)} rung{'s' * (len(rungs) != 1)}"


if __name__ == "__main__":
    run_stage("train_ladder", main)
