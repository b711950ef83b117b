"""Train ahead what the ladder lacks, so that no core waits while DVC takes its stages one by one.

Usage: python -m commands.train_ladder [<rung> ...]; without a name: every rung whose stage `climb` would run.
Reads: rungs/params.yaml, reports/rungs/<rung>/recipe.yaml, data/processed/train.safetensors. Writes: .runs/ alone;
`dvc repro rungs/dvc.yaml` then finds the runs there. With DASK_SCHEDULER_ADDRESS set they are trained on that cluster.
"""

import argparse
import json
import subprocess

from ladder import machine
from ladder.command import run_stage
from ladder.data.splits import read_split
from ladder.exceptions import LadderError
from ladder.paths import PIPELINE
from ladder.runs.plans import read_plan, seeds_of, warn_if_bits_differ


def stale():
    """Return the rungs whose stage `climb` DVC would run."""
    done = subprocess.run(["dvc", "status", "--json", str(PIPELINE)], capture_output=True, text=True)
    if done.returncode:
        raise LadderError(f"dvc status {PIPELINE}: {done.stderr.strip().splitlines()[-1]}")
    prefix = f"{PIPELINE}:climb@"
    return [name.removeprefix(prefix) for name in json.loads(done.stdout) if name.startswith(prefix)]


def main():
    parser = argparse.ArgumentParser(prog="python -m commands.train_ladder", description=__doc__.splitlines()[0])
    parser.add_argument("rungs", nargs="*", metavar="rung")
    wanted = seeds_of(parser.parse_args().rungs or stale())
    recipes = {rung: read_plan(rung) for rung in wanted}
    machine.configure(portable=True)
    # torch reads what `configure` set when it is imported
    from ladder.runs import store
    from ladder.runs.pool import computed_here, train_many, training_pool

    data = read_split("train")
    images, labels = data["images"], data["labels"]

    def missing(recipe):
        folders = {seed: store.folder_of(recipe, images, labels, seed) for seed in range(wanted[recipe.rung])}
        return [(recipe, seed) for seed, folder in folders.items() if store.count(folder) < recipe.epochs]

    due = {rung: recipe for rung, recipe in recipes.items() if missing(recipe)}
    if not due:
        print(f"train_ladder: nothing to train for {len(wanted)} rungs")
        return
    with training_pool(machine.workers()) as executor:
        found = computed_here(due.values(), executor)
        due = [warn_if_bits_differ(recipe, found[rung], f"{PIPELINE}:plan@{rung}") for rung, recipe in due.items()]
        runs = [run for recipe in due for run in missing(recipe)]
        print(f"train_ladder: {len(runs)} runs of {len(due)} rungs", flush=True)
        train_many(runs, images, labels, executor)
    print("train_ladder: all trained")


if __name__ == "__main__":
    run_stage("train_ladder", main)
