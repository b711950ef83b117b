"""How much of a rung's test accuracy is left on moved test images, and without the mislabelled ones.

Reads: reports/rungs/<rung>/recipe.yaml of RUNGS, rungs/params.yaml, data/processed/, the runs' last weights in .runs/;
a run that is not there is trained. Writes: reports/robustness.md, accuracies in percent, mean ± standard deviation.
"""

from itertools import repeat
from statistics import fmean, stdev

from ladder import cards, machine
from ladder.files import write_text
from stages import REPORTS, read_split, run_stage
from stages.ahead import asked_for, planned
from stages.climb import trained

RUNGS = ("net9", "s7_final", "champion", "sprint", "tiny")
PAGE = REPORTS / "robustness.md"
# Test images of which most of five people chose another digit than their label: C. Northcutt, A. Athalye and
# J. Mueller, arXiv:2103.14749; the file mturk/mnist_mturk.json of github.com/cleanlab/label-errors.
MISLABELLED = (947, 1621, 1901, 2130, 2462, 2597, 2654, 3520, 3558, 5937, 6651, 6783, 8527, 9679, 9729)
MOVED = {"shifted by up to 2 pixels": {"translate": 2}, "turned by up to 10°": {"degrees": 10.0}}
ALL, RIGHT = "all test images", "without the 15 mislabelled"


def views(images, labels):
    """Return {column: (images, labels)} of the test images [N, 1, 28, 28]: all, without the mislabelled, moved.

    Every image moves by its own draw, the same for every rung.
    """
    import torch

    from ladder.augment import augment

    right = torch.ones(len(labels), dtype=torch.bool)
    right[list(MISLABELLED)] = False
    found = {ALL: (images, labels), RIGHT: (images[right], labels[right])}
    for column, how in MOVED.items():
        found[column] = augment(images, [cards.Affine(**how)], torch.Generator().manual_seed(0)), labels
    return found


def accuracies(recipe, seed):
    """Return {column: accuracy in percent} of a run in the store, in a process of its own."""
    from ladder import store
    from ladder.measure import accuracy_of

    train, test = read_split("train"), read_split("test")
    weights = store.finished(recipe, train["images"], train["labels"], seed)[-1].weights
    seen = views(test["images"], test["labels"])
    return {column: accuracy_of(recipe, weights, images, labels) for column, (images, labels) in seen.items()}


def page(found):
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


def mean_and_deviation(values):
    """Return 'mean ± standard deviation' of one value a seed."""
    return f"{fmean(values):.2f} ± {stdev(values):.2f}" if len(values) > 1 else f"{fmean(values):.2f}"


def main():
    seeds = asked_for(RUNGS)
    recipes = {rung: planned(rung) for rung in RUNGS}
    machine.configure(portable=True)
    # torch reads what `configure` set when it is imported
    from ladder.pool import process_pool

    data = read_split("train")
    recipes = {rung: trained(of, range(seeds[rung]), data["images"], data["labels"]) for rung, of in recipes.items()}
    with process_pool(machine.workers()) as executor:
        asked = {rung: executor.map(accuracies, repeat(recipe), range(seeds[rung])) for rung, recipe in recipes.items()}
        found = {rung: list(of_seeds) for rung, of_seeds in asked.items()}
    text = page(found)
    write_text(PAGE, text)
    print(text, end="")


if __name__ == "__main__":
    run_stage("robustness", main)
