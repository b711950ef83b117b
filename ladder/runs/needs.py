"""What runs will take, in memory and time, told before they start where it may hurt."""

import math
from collections.abc import Iterator, Sequence

from ladder import machine
from ladder.cards import Recipe, layer_table, work
from ladder.cards.shapes import with_inside
from ladder.data.splits import Split

SECONDS = 5.7e-11  # of one core for a unit of work and an image: net9's 8.6 s an epoch on an AMD EPYC of family 25
LONG = 1800  # seconds
PROCESS = 0.7e9  # bytes of a process that trains: Python, torch, kernels
MUCH = 4e9  # bytes
COPIES = 3  # of every map of a batch: what a layer gives, what its gradient needs, and that gradient


def told(runs: Sequence[tuple[Recipe, int]], data: Split, processes: int) -> Iterator[str]:
    """Yield a line on the time that runs take side by side, and one on their memory, where it is much of either.

    runs: (Recipe, number of epochs that it has finished already).
    """
    seconds = seconds_left(runs, len(data.labels)) / processes
    if seconds > LONG:
        hours, minutes = divmod(round(seconds / 60), 60)
        yield f"this takes about {hours} h {minutes:02d} min, {processes} runs side by side"
    memory = images_size(data) + processes * max(process_size(recipe, data) for recipe, _ in runs)
    free = machine.free_memory()
    if memory > MUCH or (free is not None and memory > free):
        here = "" if free is None else f"; this machine has {free / 1e9:.1f} GB free"
        yield (
            f"this takes up to {memory / 1e9:.1f} GB of memory for {processes} runs side by side{here}. "
            "DIGIT_LADDER_WORKERS=1 and a smaller batch_size take less"
        )


def seconds_left(runs: Sequence[tuple[Recipe, int]], images: int) -> float:
    """Return the seconds of one core that are about left of runs, (Recipe, finished epochs), on so many images."""
    return SECONDS * images * sum(work(recipe) * (1 - epochs / recipe.epochs) for recipe, epochs in runs)


def images_size(data: Split) -> int:
    """Return the bytes of a Split's images, which all processes share."""
    return data.images.numel()


def process_size(recipe: Recipe, data: Split) -> float:
    """Return about how many bytes a process takes to train a Recipe, beside the images that it shares."""
    own = 0 if recipe.input.size == recipe.images.side else len(data.labels) * _pixels(recipe)
    maps = _pixels(recipe) + sum(math.prod(row.shape) for row in with_inside(layer_table(recipe)))
    return PROCESS + own + 4 * COPIES * recipe.batch_size * maps


def _pixels(recipe):
    return recipe.images.channels * recipe.input.size**2
