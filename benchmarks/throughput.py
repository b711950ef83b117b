"""Time training as the sources wrote it against the run: seconds per seed and epoch of 60,000 images.

    make bench          # all of it, in under five minutes; needs data/processed/, which `dvc repro preprocess` makes

A sample of batches is timed, after a warm-up, and scaled to an epoch; training alone, no evaluation. The sources'
loop (notebook.py) has the whole machine to itself. Runs go side by side, one process a core, so an epoch of one
process stands for as many seeds as there are processes.
"""

import argparse
import os
import statistics
import time
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from multiprocessing import get_context
from pathlib import Path

from benchmarks.bits import processor
from ladder import cards, machine

DATA = Path("data/processed/train.safetensors")
RUNGS = ("net9", "s7_final", "part3")  # two rotations; Adam and much dropout; the deepest, with depthwise convolutions
SETTINGS = ((0, 64), (2, 128))  # the sources' loader: (workers, images a batch) without a GPU and with one
EPOCH = 60_000  # images
WARM_UP = 5  # batches
SAMPLE = 10.0  # seconds


class Clock:
    """Laps: seconds a batch, without the first few; over when they come to `seconds`."""

    def __init__(self, seconds):
        self.seconds, self.warm_up, self.laps, self.last = seconds, WARM_UP, [], time.perf_counter()

    def lap(self):
        """Note a batch. Return whether that was the last one."""
        now = time.perf_counter()
        if self.warm_up:
            self.warm_up -= 1
        else:
            self.laps.append(now - self.last)
        self.last = now
        return sum(self.laps) >= self.seconds


def theirs(rung, workers, batch_size, seconds):
    """Return seconds an epoch of the sources' loop."""
    from benchmarks.notebook import loop

    clock = Clock(seconds)
    loop(cards.resolve(rung), *data(), workers, batch_size, clock)
    return epoch(clock.laps, batch_size)


def ours(rung, seconds, asked):
    """Return (seconds an epoch of one process, its peak memory in MB, seconds from `asked` to its first batch)."""
    recipe, steps = steps_of(rung)
    ready = time.time() - asked
    return epoch(laps_of(steps, Clock(seconds)), recipe.batch_size), peak_memory(), ready


def parts(rung, seconds):
    """Return {what: processor seconds an epoch} of one process alone.

    Every second step is timed as a whole, so that both kinds see the same moods of the machine. The parts hold the
    timer's own cost too, so they come to a little more than the whole; what is not torch's costs less than that.
    """
    from benchmarks.timer import OperationTimer

    recipe, steps = steps_of(rung)
    timer, whole = OperationTimer(), []
    end = time.perf_counter() + seconds
    while time.perf_counter() < end:
        start = time.thread_time()
        next(steps)()
        whole.append(time.thread_time() - start)
        timer.step(next(steps))
    found = {name: epoch(of_steps, recipe.batch_size) for name, of_steps in timer.seconds().items()}
    return {"all of it": epoch(whole, recipe.batch_size)} | found


def laps_of(steps, clock):
    """Take steps until the clock says that it was the last one. Return the seconds of each."""
    for step in steps:
        step()
        if clock.lap():
            break
    return clock.laps


def steps_of(rung):
    """Return (recipe, endless steps of a run of `rung`, each a function that trains one batch)."""
    import torch

    from ladder.network.build import build
    from ladder.network.inference import prepare
    from ladder.training import run
    from ladder.training.optimizers import make_optimizer

    run.set_up_torch()
    recipe = cards.resolve(rung)
    images, labels = data()
    images, labels = prepare(images, recipe), labels.to(torch.int64)
    model = build(recipe, seed=0)
    optimizer = make_optimizer(recipe, model)
    generator = torch.Generator().manual_seed(0)

    def train(batch):
        run.train_batch(recipe, model, optimizer, images[batch], labels[batch], generator)

    def steps():
        while True:
            order = torch.randperm(len(images), generator=generator)
            for batch in order.split(recipe.batch_size)[:-1]:  # whole ones
                yield partial(train, batch)

    return recipe, steps()


def data():
    from ladder.data.tensors import read_tensors

    tensors = read_tensors(DATA)
    return tensors["images"], tensors["labels"]


def epoch(laps, batch_size):
    """Return seconds an epoch, from seconds a batch."""
    return statistics.median(laps) * EPOCH / batch_size


def peak_memory():
    """Return the most memory this process has held, in MB, the libraries it shares with others included."""
    import resource

    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1000


def side_by_side(function, processes):
    """Return what `function` returns in each of so many fresh processes at once."""
    with ProcessPoolExecutor(processes, mp_context=get_context("spawn")) as pool:
        return [future.result() for future in [pool.submit(function) for _ in range(processes)]]


def stock_environment():
    """Leave the environment as a notebook has it."""
    for name in machine.PORTABLE | machine.KEEP_MEMORY:
        os.environ.pop(name, None)


def compare(rungs, seconds):
    """Yield the lines of the comparison."""
    yield "seconds per seed and epoch of the sources' loop, which uses all cores, and of the run, one process a core;"
    yield "the last columns: how many times as fast the run is as the better loop"
    yield ""
    heads = ("loop, batch 64", "batch 128, 2 workers", "run, portable", "not portable", "portable", "not portable")
    yield "rung      " + "".join(f"{head:>{len(head) + 3}}" for head in heads)
    memory, ready = [], []
    for rung in rungs:
        stock_environment()
        loops = [side_by_side(partial(theirs, rung, *setting, seconds), 1)[0] for setting in SETTINGS]
        runs = []
        for portable in (True, False):
            machine.configure(portable)
            cores = machine.workers()
            found = side_by_side(partial(ours, rung, seconds, time.time()), cores)
            runs.append(statistics.mean(epoch for epoch, _, _ in found) / cores)
            memory += [peak for _, peak, _ in found]
            ready += [begun for _, _, begun in found]
        figures = [*loops, *runs, *(min(loops) / one for one in runs)]
        yield f"{rung:10}" + "".join(f"{of:{len(head) + 3}.1f}" for head, of in zip(heads, figures, strict=True))
    yield ""
    yield f"a worker's peak memory, torch's libraries included: {max(memory):.0f} MB at most"
    yield f"from the start of a worker to its first batch: {max(ready):.1f} s at most"
    yield from where_time_goes(rungs[0], seconds)


def where_time_goes(rung, seconds):
    """Yield the lines that say what one process spends an epoch on."""
    columns = []
    for portable in (True, False):
        machine.configure(portable)
        columns.append(side_by_side(partial(parts, rung, seconds), 1)[0])
    yield ""
    yield f"where an epoch of {rung} goes, one process alone, seconds:   portable   not portable"
    for name in sorted(columns[0], key=columns[0].get, reverse=True):
        yield f"  {name:55} {columns[0][name]:8.2f}   {columns[1].get(name, 0.0):8.2f}"


def machine_line():
    """Return the machine and the libraries, in words."""
    from importlib.metadata import version

    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    return f"{processor()}; {os.cpu_count()} cores; {memory:.0f} GiB; torch {version('torch')}"


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--quick", action="store_true", help="half a second a figure, net9 alone: to see that it works")
    options = parser.parse_args()
    print(machine_line(), end="\n\n", flush=True)
    for line in compare(RUNGS[:1], 0.5) if options.quick else compare(RUNGS, SAMPLE):
        print(line, flush=True)


if __name__ == "__main__":
    main()
