"""Time training as the sources wrote it, and as others would, against the run: seconds per seed and epoch.

    make bench          # all of it, in under six minutes; needs MNIST in data/sets/, which `dvc repro` makes

Some batches are timed, after a warm-up, and scaled to an epoch of 60,000 images; training alone, no evaluation. The
sources' loop (notebook.py) has the whole machine to itself, and so has JAX. Runs, and plain torch, go side by side,
one process a core, so an epoch of one process stands for as many seeds as there are processes.
"""

import argparse
import os
import platform
import statistics
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from importlib.metadata import version
from importlib.util import find_spec
from multiprocessing import get_context
from pathlib import Path
from typing import TypeVar

from ladder import cards, machine
from ladder.lanes import build
from ladder.runs.processes import import_torch

T = TypeVar("T")
DATA = Path("data/sets/mnist/processed/train.safetensors")
RUNGS = ("net9", "s7_final", "part3")  # two rotations; Adam and much dropout; the deepest, with depthwise convolutions
SETTINGS = ((0, 64), (2, 128))  # the sources' loader: (workers, images a batch) without a GPU and with one
KERNELS = {"run": build.NATIVE}  # what the kernels are compiled for
if platform.machine().lower() in ("x86_64", "amd64"):
    KERNELS["AVX2"] = "haswell"
EPOCH = 60_000  # images
WARM_UP = 5  # batches
SAMPLE = 8.0  # seconds


class Clock:
    """Laps: seconds each, without the first `warm_up` of them; over when they come to `seconds`."""

    def __init__(self, seconds: float, warm_up: int = WARM_UP):
        self.seconds, self.warm_up, self.laps, self.last = seconds, warm_up, [], time.perf_counter()

    def lap(self) -> bool:
        """Note a lap. Return whether that was the last one."""
        now = time.perf_counter()
        if self.warm_up:
            self.warm_up -= 1
        else:
            self.laps.append(now - self.last)
        self.last = now
        return sum(self.laps) >= self.seconds


def loop(rung: str, workers: int, batch_size: int, seconds: float) -> float:
    """Return seconds an epoch of the sources' loop."""
    from benchmarks import notebook

    clock = Clock(seconds)
    notebook.loop(cards.resolve(rung), *data(), workers, batch_size, clock)
    return epoch(clock.laps, batch_size)


def plain_torch(rung: str, seconds: float) -> float:
    """Return seconds an epoch of one process of plain torch, on one thread."""
    import torch

    from benchmarks.rivals import torch_steps

    torch.set_num_threads(1)
    recipe = cards.resolve(rung)
    return epoch(laps_of(torch_steps(recipe, *data()), Clock(seconds)), recipe.batch_size)


def in_jax(rung: str, seconds: float) -> float:
    """Return seconds an epoch of JAX, on all cores."""
    from benchmarks.rivals import jax_steps

    recipe = cards.resolve(rung)
    return epoch(laps_of(jax_steps(recipe, *data()), Clock(seconds)), recipe.batch_size)


def ours(rung: str, seconds: float, asked: float) -> tuple[float, float, float]:
    """Return (seconds an epoch of one process, its peak memory in MB, seconds from `asked` to its first batch)."""
    from benchmarks.step import laps
    from ladder.training.run import AT_ONCE

    recipe = cards.resolve(rung)
    several = laps(recipe, *data())
    first = next(several)
    ready = time.time() - asked
    first()
    times = laps_of(several, Clock(seconds, warm_up=1))
    return epoch(times, AT_ONCE * recipe.batch_size), peak_memory(), ready


def laps_of(steps: Iterable[Callable[[], None]], clock: Clock) -> list[float]:
    """Take steps until the clock says that it was the last one. Return the seconds of each."""
    for step in steps:
        step()
        if clock.lap():
            break
    return clock.laps


def data() -> tuple:
    """Return the training images, uint8 [60000, 1, 28, 28], and labels, uint8 [60000]."""
    from ladder.data.tensors import read_tensors

    tensors = read_tensors(DATA)
    return tensors["images"], tensors["labels"]


def epoch(laps: list[float], images: int) -> float:
    """Return seconds an epoch, from seconds a lap of so many images."""
    return statistics.median(laps) * EPOCH / images


def peak_memory() -> float:
    """Return the most memory this process has held, in MB, the libraries it shares with others included."""
    import resource

    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1000


def side_by_side(function: Callable[[], T], processes: int, kernels: str | None = None) -> list[T]:
    """Return what `function` returns in each of so many fresh processes at once, which import torch as a run's do.

    kernels: the processor that they compile the kernels for.
    """
    os.environ.pop("DIGIT_LADDER_LANES_CPU", None)
    if kernels:
        os.environ["DIGIT_LADDER_LANES_CPU"] = kernels
    with ProcessPoolExecutor(processes, mp_context=get_context("spawn"), initializer=import_torch) as pool:
        return [future.result() for future in [pool.submit(function) for _ in range(processes)]]


def compile_seconds(kernels: str) -> float:
    """Return how long it takes to compile the kernels where nothing is kept yet."""
    with tempfile.TemporaryDirectory() as folder:
        start = time.perf_counter()
        build.build(kernels, cache=Path(folder))
        return time.perf_counter() - start


def compare(rungs: Iterable[str], seconds: float) -> Iterator[str]:
    """Yield the lines of the comparison. seconds: of each sample."""
    compiled = {name: compile_seconds(kernels) for name, kernels in KERNELS.items()}
    for kernels in KERNELS.values():
        build.build(kernels)  # and kept: else several processes would wait for it in what is timed below
    cores = machine.workers()
    yield "seconds per seed and epoch: the sources' loop on all cores; plain torch and the run with one process a core"
    yield "AVX2: the run with kernels for no more than that; times: how many times as fast as the better loop"
    yield ""
    heads = [
        "loop, batch 64",
        "batch 128, 2 workers",
        "plain torch",
        "JAX",
        *KERNELS,
        *(f"{name}, times" for name in KERNELS),
    ]
    if not find_spec("jax"):
        heads.remove("JAX")
    yield "rung      " + "".join(f"{head:>{len(head) + 3}}" for head in heads)
    memory, ready = [], []
    for rung in rungs:
        loops = [side_by_side(partial(loop, rung, *setting, seconds), 1)[0] for setting in SETTINGS]
        others = [statistics.mean(side_by_side(partial(plain_torch, rung, seconds), cores)) / cores]
        if find_spec("jax"):
            others += side_by_side(partial(in_jax, rung, seconds), 1)
        runs = []
        for kernels in KERNELS.values():
            found = side_by_side(partial(ours, rung, seconds, time.time()), cores, kernels)
            runs.append(statistics.mean(epoch for epoch, _, _ in found) / cores)
            memory += [peak for _, peak, _ in found]
            ready += [begun for _, _, begun in found]
        figures = [*loops, *others, *runs, *(min(loops) / one for one in runs)]
        yield f"{rung:10}" + "".join(f"{of:{len(head) + 3}.1f}" for head, of in zip(heads, figures, strict=True))
    yield ""
    yield from [] if find_spec("jax") else ["JAX is not installed here: `pip install jax` adds its column"]
    yield f"a worker's peak memory, torch's libraries included: {max(memory):.0f} MB at most"
    yield f"from the start of a worker to its first batch: {max(ready):.1f} s at most"
    yield f"to compile the kernels, once: {', '.join(f'{took:.1f} s ({name})' for name, took in compiled.items())}"
    yield from steps(rungs)


def steps(rungs: Iterable[str]) -> Iterator[str]:
    """Yield the lines about one step of one process alone."""
    from benchmarks.step import shares

    yield ""
    yield "one step of one process alone: processor milliseconds, and shares of the core's peak of fused multiply-adds"
    yield ""
    heads = ("layers, forward", "backward", "all", "layers' share", "share of all")
    yield "rung, kernels     " + "".join(f"{head:>{len(head) + 3}}" for head in heads)
    peaks = []
    for name, kernels in KERNELS.items():
        peak, found = side_by_side(partial(shares, tuple(rungs)), 1, kernels)[0]
        peaks.append(f"{peak / 1e9:.0f} GFLOP/s ({name})")
        for rung, of in found.items():
            figures = [f"{of[key] * 1e3:.1f}" for key in ("forward", "backward", "all")]
            figures += [f"{of[key]:.0%}" for key in ("in layers", "share")]
            columns = (f"{figure:>{len(head) + 3}}" for head, figure in zip(heads, figures, strict=True))
            yield f"{f'{rung}, {name}':18}" + "".join(columns)
    yield ""
    yield f"the peak: {', '.join(peaks)}"


def machine_line() -> str:
    """Return the machine and the libraries, in words."""
    from benchmarks.bits import processor  # imports torch, which each process below is to do by itself

    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    jax = f"; JAX {version('jax')}" if find_spec("jax") else ""
    return f"{processor()}; {os.cpu_count()} cores; {memory:.0f} GiB; torch {version('torch')}{jax}"


def main() -> None:
    """Print the comparison, line by line as it comes."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--quick", action="store_true", help="half a second a figure, net9 alone: to see that it works")
    options = parser.parse_args()
    print(machine_line(), end="\n\n", flush=True)
    for line in compare(RUNGS[:1], 0.5) if options.quick else compare(RUNGS, SAMPLE):
        print(line, flush=True)


if __name__ == "__main__":
    main()
