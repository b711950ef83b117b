"""Time from untrained to 99.4 %: the sources' loop with their best recipe, against the rung `sprint` or another one.

    python -m benchmarks.sprint          # about a minute; needs MNIST in data/sets/, which `dvc repro` makes
    python -m benchmarks.sprint RUNG     # a rung that challenges the record of sprint, see docs/records.md

The loop trains s7_final, and has the whole machine to itself. A sample of its batches is timed, before and after, and
scaled to the epochs that the rung's mean accuracy takes to reach the target. The other rung is really trained, to its
end, one seed a core, all at once; then its models are tested.
"""

import argparse
import json
import statistics
import time
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from multiprocessing import get_context
from pathlib import Path

from benchmarks.throughput import SAMPLE, SETTINGS, data, loop, machine_line, side_by_side
from ladder import cards, machine
from ladder.cards import Recipe

SOURCE, OURS = "s7_final", "sprint"
REACHED = Path(f"reports/rungs/{SOURCE}/metrics.json")
TEST = Path("data/sets/mnist/processed/test.safetensors")


def loop_epoch(seconds: float) -> float:
    """Return seconds an epoch of the sources' loop, in the better of its settings."""
    return min(side_by_side(partial(loop, SOURCE, *setting, seconds), 1)[0] for setting in SETTINGS)


def trained(recipe: Recipe, seed: int) -> tuple[float, float]:
    """Return (seconds of training, test accuracy in percent) of a run of one seed."""
    from ladder.data.splits import Split
    from ladder.data.tensors import read_tensors
    from ladder.evaluation.measure import accuracy_of
    from ladder.training import run

    train, test = Split(*data()), Split(**read_tensors(TEST))
    start = time.perf_counter()
    weights = run.run(recipe, train, seed)[-1].weights
    seconds = time.perf_counter() - start
    return seconds, accuracy_of(recipe, weights, test.images, test.labels)


def sprints(recipe: Recipe) -> list[tuple[float, float]]:
    """Return what `trained` returns for one seed a core, all at once."""
    cores = machine.workers()
    with ProcessPoolExecutor(cores, mp_context=get_context("spawn")) as pool:
        return list(pool.map(partial(trained, recipe), range(cores)))


def compare(recipe: Recipe, seconds: float) -> Iterator[str]:
    """Yield the lines of the comparison. seconds: of each sample of the loop."""
    epochs = json.loads(REACHED.read_text())["reached_epoch"]
    if epochs is None:
        raise SystemExit(f"{REACHED}: {SOURCE} does not reach its target, so there is nothing to compare with")
    before = loop_epoch(seconds)
    yield f"the sources' loop, {SOURCE}: {before:.1f} s an epoch"
    found = sprints(recipe)
    for seed, (took, accuracy) in enumerate(found):
        how = f"one core, {len(found)} at once"
        yield f"{recipe.rung}, seed {seed}, {how}: {took:.1f} s, test accuracy {accuracy:.2f} %"
    after = loop_epoch(seconds)
    yield f"the sources' loop again: {after:.1f} s an epoch"
    whole, ours = statistics.mean((before, after)) * epochs, statistics.mean(took for took, _ in found)
    times = whole / ours
    yield f"to the target: loop {whole:.0f} s ({epochs} epochs, {REACHED}); {recipe.rung} {ours:.1f} s"
    yield f"{recipe.rung} is {times:.1f} times as fast with one core, {times * len(found):.1f} times with all"


def main() -> None:
    """Print the comparison, line by line as it comes."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("rung", nargs="?", default=OURS, help=f"the rung to time; {OURS} if not given")
    parser.add_argument("--quick", action="store_true", help="half a second a sample, one epoch: to see that it works")
    asked = parser.parse_args()
    recipe = cards.resolve(asked.rung, cards.TrainOverrides(epochs=1) if asked.quick else None)
    print(machine_line(), end="\n\n", flush=True)
    for line in compare(recipe, 0.5 if asked.quick else SAMPLE):
        print(line, flush=True)


if __name__ == "__main__":
    main()
