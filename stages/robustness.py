"""Measure how much of a rung's test accuracy is left on moved test images, and without the mislabelled ones.

Usage:  python -m stages.robustness
Reads:  reports/rungs/<rung>/recipe.yaml of the RUNGS below, rungs/params.yaml, datasets/mnist.yaml,
        data/sets/mnist/processed/, and the runs' last weights in .runs/; a run that is not there is trained
Writes: reports/robustness.md (accuracies in percent, mean ± standard deviation)
"""

from itertools import repeat
from statistics import fmean, stdev

from ladder import machine
from ladder.cards import Recipe
from ladder.command import parser, run_stage
from ladder.data.data_set import read_data_set
from ladder.data.splits import read_split
from ladder.evaluation.moved import views
from ladder.files import write_text
from ladder.paths import REPORTS
from ladder.runs.plans import read_plan, seeds_of, train_missing

RUNGS = ("net9", "s7_final", "champion", "sprint", "tiny", "tinier", "micro", "open")
PAGE = REPORTS / "robustness.md"


def accuracies(recipe: Recipe, seed: int) -> dict[str, float]:
    """Return {column: accuracy in percent} of a run in the store, in a process of its own."""
    from ladder.evaluation.measure import accuracy_of
    from ladder.runs import store

    train, test = (read_split(split, recipe.data) for split in ("train", "test"))
    weights = store.finished(recipe, train, seed)[-1].weights
    seen = views(test.images, test.labels, read_data_set(recipe.data).mislabelled)
    return {column: accuracy_of(recipe, weights, images, labels) for column, (images, labels) in seen.items()}


def page(found: dict[str, list[dict[str, float]]]) -> str:
    """Return the table as Markdown. found: {rung: [what `accuracies` returns, one a seed]}."""
    columns = list(next(iter(found.values()))[0])
    lines = [
        "# Robustness",
        "",
        "Accuracy of the last weights in percent, mean ± standard deviation. Each image is moved by its own draw,",
        "the same for every rung. No rung was chosen by any of this.",
        "",
    ]
    lines += [f"| rung (seeds) | {' | '.join(columns)} |", f"|---|{'--:|' * len(columns)}"]
    for rung, by_seed in found.items():
        cells = [mean_and_deviation([of_seed[column] for of_seed in by_seed]) for column in columns]
        lines.append(f"| {rung} ({len(by_seed)}) | {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


def mean_and_deviation(values: list[float]) -> str:
    """Return 'mean ± standard deviation' of one value a seed."""
    return f"{fmean(values):.2f} ± {stdev(values):.2f}" if len(values) > 1 else f"{fmean(values):.2f}"


def main(given: list[str] | None = None) -> None:
    parser("stages.robustness", __doc__).parse_args(given)
    seeds = seeds_of(RUNGS)
    recipes = {rung: read_plan(rung) for rung in RUNGS}
    # these import torch, which takes seconds
    from ladder.runs.pool import process_pool

    data = read_split("train")
    recipes = {rung: train_missing(of, range(seeds[rung]), data) for rung, of in recipes.items()}
    with process_pool(machine.workers()) as executor:
        asked = {rung: executor.map(accuracies, repeat(recipe), range(seeds[rung])) for rung, recipe in recipes.items()}
        found = {rung: list(of_seeds) for rung, of_seeds in asked.items()}
    text = page(found)
    write_text(PAGE, text)
    print(text, end="")


if __name__ == "__main__":
    run_stage("robustness", main)
