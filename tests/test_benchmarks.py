"""The benchmarks: they run, they say the same twice, and they time what they say they time."""

import re
import shutil
import subprocess
import sys
import time

import pytest
import torch
from projects import REPOSITORY

from benchmarks import bits, notebook, sprint, throughput, timer
from benchmarks.gradients import errors
from ladder import cards, machine
from ladder.data.synthetic import synthetic_digits
from ladder.data.tensors import write_tensors
from ladder.network.build import build
from ladder.training import run


@pytest.fixture
def project(tmp_path, monkeypatch):
    """Stand in a folder with the rungs and a few synthetic digits as training data."""
    images, labels = synthetic_digits(2000)
    write_tensors(tmp_path / throughput.DATA, {"images": images, "labels": labels})
    shutil.copytree(REPOSITORY / "rungs/cards", tmp_path / "rungs/cards")
    monkeypatch.chdir(tmp_path)


def test_two_processes_print_the_same_bits():
    command = [sys.executable, "-m", "benchmarks.bits", "--quick"]
    pair = [subprocess.Popen(command, cwd=REPOSITORY, stdout=subprocess.PIPE, text=True) for _ in range(2)]
    first, second = (process.communicate()[0] for process in pair)
    assert first == second
    about, *lines = first.splitlines()
    assert f"torch {torch.__version__}" in about
    assert all(re.fullmatch(r".+ [0-9a-f]{16}", line) for line in lines)
    found = dict(line.rsplit(" ", 1) for line in lines)
    assert len(found) == len(lines)
    committed = (REPOSITORY / "benchmarks/bits.txt").read_text().splitlines()[1:]
    committed = dict(line.rsplit(" ", 1) for line in committed)
    shared = found.keys() & committed.keys()  # an optimizer's line names the first rung that uses it, here another one
    assert len(shared) > 80
    assert {name: found[name] for name in shared} == {name: committed[name] for name in shared}
    assert {"random permutation", "conv out=16 kernel=3 on 10x14x14: backward", "run of 2 epochs, net9"} <= shared


def test_a_hash_tells_the_last_bit():
    one = torch.ones(3)
    other = torch.tensor([1, 1, 1 + 2**-23])
    assert bits.hashed([one]) == bits.hashed([one.clone()])
    assert bits.hashed([one]) != bits.hashed([other])


def test_the_comparison_prints_how_many_times_as_fast_the_run_is(project, monkeypatch):
    """In this one process: it stands for the fresh ones, whose instruction sets it cannot have."""
    monkeypatch.setattr(throughput, "side_by_side", lambda function, processes: [function() for _ in range(processes)])
    monkeypatch.setattr(throughput, "stock_environment", lambda: None)
    monkeypatch.setattr(machine, "configure", lambda portable: None)
    monkeypatch.setenv("DIGIT_LADDER_WORKERS", "2")
    lines = list(throughput.compare(["net9"], 0.05))
    figures = next([float(x) for x in line.split()[1:]] for line in lines if line.startswith("net9 "))
    assert min(figures) > 0
    assert figures[4:] == pytest.approx([min(figures[:2]) / of for of in figures[2:4]], rel=0.05, abs=0.1)
    assert any("convolution, backward" in line for line in lines)


def test_the_sprint_is_timed_and_tested_beside_the_loop(project, monkeypatch):
    """The loop's epochs are given: 10 s before and 14 s after, so 12 s in the mean, twelve times to the target."""
    images, labels = synthetic_digits(500)
    write_tensors(sprint.TEST, {"images": images, "labels": labels})
    sprint.REACHED.parent.mkdir(parents=True)
    sprint.REACHED.write_text('{"reached_epoch": 12}')
    epochs, recipe = iter((10.0, 14.0)), cards.resolve("sprint", cards.TrainOverrides(epochs=2))
    ran = []
    monkeypatch.setattr(sprint, "loop_epoch", lambda seconds: next(epochs))
    monkeypatch.setattr(sprint, "sprints", lambda recipe: ran.append(sprint.trained(recipe, 0)) or ran * 2)
    lines = list(sprint.compare(recipe, 0.1))
    seconds, accuracy = ran[0]
    model = build(recipe, 0)
    model.load_state_dict(run.run(recipe, *throughput.data(), 0)[-1].weights)
    model.eval()
    read = model((images / 255 - 0.1307) / 0.3081).argmax(1)
    assert accuracy == pytest.approx(100 * (read == labels).float().mean().item())
    assert "loop 144 s (12 epochs" in lines[-2]
    assert f"{144 / seconds:.1f} times as fast with one core, {288 / seconds:.1f} times with all" in lines[-1]


def test_an_epoch_is_scaled_from_the_median_batch():
    assert throughput.epoch([0.1, 0.2, 9.0], batch_size=60) == pytest.approx(0.2 * 1000)


def test_a_clock_leaves_the_first_batches_out(monkeypatch):
    now = iter(range(100))
    monkeypatch.setattr(time, "perf_counter", lambda: float(next(now)))
    clock = throughput.Clock(seconds=3)
    assert [clock.lap() for _ in range(throughput.WARM_UP + 3)] == [False] * (throughput.WARM_UP + 2) + [True]
    assert clock.laps == [1, 1, 1]


def test_the_timer_sums_operations_of_forward_and_backward_apart():
    layer = torch.nn.Conv2d(1, 4, 3)
    found = timer.OperationTimer()
    for _ in range(2):
        found.step(lambda: layer(torch.ones(1, 1, 8, 8)).sum().backward())
    seconds = found.seconds()
    assert {"convolution, forward", "convolution, backward"} <= set(seconds)
    assert all(len(of_steps) == 2 for of_steps in seconds.values())


@pytest.mark.parametrize("rung", throughput.RUNGS)
def test_the_notebooks_network_is_the_rungs(rung):
    recipe = cards.resolve(rung)
    ours, theirs = (model.state_dict().values() for model in (build(recipe, 0), notebook.network_of(recipe)))
    assert [tensor.shape for tensor in ours] == [tensor.shape for tensor in theirs]


def test_the_runs_layers_are_as_exact_as_torchs():
    found = errors(*synthetic_digits(128))
    assert found["the run's layers"] < 2 * found["torch's layers, contiguous"]
