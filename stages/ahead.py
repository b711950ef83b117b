"""Train ahead what the ladder lacks, so that no core waits while DVC takes its stages one by one.

Usage: python -m stages.ahead [<rung> ...]; without a name: every rung whose stage `climb` would run.
Reads: rungs/params.yaml, reports/rungs/<rung>/recipe.yaml, data/processed/train.safetensors. Writes: .runs/ alone;
`dvc repro rungs/dvc.yaml` then finds the runs there. With DASK_SCHEDULER_ADDRESS set they are trained on that cluster.
"""

import argparse
import json
import subprocess

from ladder import cards, machine
from ladder.errors import LadderError
from ladder.files import read_yaml
from stages import read_split, run_stage
from stages.climb import PIPELINE, RUNGS
from stages.train import checked

PARAMS = PIPELINE.with_name("params.yaml")


def stale():
    """Return the rungs whose stage `climb` DVC would run."""
    done = subprocess.run(["dvc", "status", "--json", str(PIPELINE)], capture_output=True, text=True)
    if done.returncode:
        raise LadderError(f"dvc status {PIPELINE}: {done.stderr.strip().splitlines()[-1]}")
    prefix = f"{PIPELINE}:climb@"
    return [name.removeprefix(prefix) for name in json.loads(done.stdout) if name.startswith(prefix)]


class Ladder(cards.Strict):
    """rungs/params.yaml."""

    seeds: dict[str, cards.Seeds]


def asked_for(names):
    """Return {rung: number of seeds} for these rungs of the ladder. Raises LadderError for one that is none."""
    seeds = cards.validated(Ladder, read_yaml(PARAMS), PARAMS).seeds
    for name in names:
        if name not in seeds:
            raise LadderError(f"{PARAMS} has no seeds for a rung {name!r}; {cards.nearest(name, seeds)}")
    return {name: seeds[name] for name in names}


def planned(rung):
    """Return a rung's Recipe as its stage `plan` wrote it. Raises LadderError where it did not."""
    path = RUNGS / rung / "recipe.yaml"
    if not path.exists():
        raise LadderError(f"there is no {path}; run `dvc repro {PIPELINE}:plan@{rung}` first")
    return cards.read_recipe(path)


def main():
    parser = argparse.ArgumentParser(prog="python -m stages.ahead", description=__doc__.splitlines()[0])
    parser.add_argument("rungs", nargs="*", metavar="rung")
    wanted = asked_for(parser.parse_args().rungs or stale())
    recipes = {rung: planned(rung) for rung in wanted}
    machine.configure(portable=True)
    # torch reads what `configure` set when it is imported
    from ladder import store
    from ladder.pool import computed_here, train_many, training_pool

    data = read_split("train")
    images, labels = data["images"], data["labels"]

    def missing(recipe):
        folders = {seed: store.folder_of(recipe, images, labels, seed) for seed in range(wanted[recipe.rung])}
        return [(recipe, seed) for seed, folder in folders.items() if store.count(folder) < recipe.epochs]

    due = {rung: recipe for rung, recipe in recipes.items() if missing(recipe)}
    if not due:
        print(f"ahead: nothing to train for {len(wanted)} rungs")
        return
    with training_pool(machine.workers()) as executor:
        found = computed_here(due.values(), executor)
        due = [checked(recipe, found[rung], f"{PIPELINE}:plan@{rung}") for rung, recipe in due.items()]
        runs = [run for recipe in due for run in missing(recipe)]
        print(f"ahead: {len(runs)} runs of {len(due)} rungs", flush=True)
        train_many(runs, images, labels, executor)
    print("ahead: all trained")


if __name__ == "__main__":
    run_stage("ahead", main)
