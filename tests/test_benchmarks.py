"""The benchmarks: they run, they say the same twice, and they time what they say they time."""

import math
import re
import shutil
import subprocess
import sys
import time
from itertools import pairwise

import numpy as np
import pytest
import torch
import yaml
from projects import REPOSITORY

from benchmarks import bits, notebook, prepare, rivals, sprint, step, throughput, verdicts
from ladder import cards
from ladder.data.splits import Split
from ladder.data.synthetic import synthetic_digits
from ladder.data.tensors import write_tensors
from ladder.lanes import blocks
from ladder.network.build import build
from ladder.training import run

pytestmark = pytest.mark.slow


@pytest.fixture
def project(tmp_path, monkeypatch):
    """Stand in a folder with the rungs and a few synthetic digits as training data."""
    images, labels, *_ = synthetic_digits(2048)
    write_tensors(tmp_path / throughput.DATA, {"images": images, "labels": labels})
    shutil.copytree(REPOSITORY / "rungs/cards", tmp_path / "rungs/cards")
    monkeypatch.chdir(tmp_path)


def by_name(lines):
    """Return {name: hash} of lines of benchmarks.bits, behind the one about the machine."""
    return dict(line.rsplit(" ", 1) for line in lines[1:])


def test_a_process_prints_the_committed_bits():
    command = [sys.executable, "-m", "benchmarks.bits", "--quick"]
    printed = subprocess.run(command, cwd=REPOSITORY, stdout=subprocess.PIPE, text=True, check=True).stdout.splitlines()
    assert f"torch {torch.__version__}" in printed[0]
    assert all(re.fullmatch(r".+ [0-9a-f]{16}", line) for line in printed[1:])
    found = by_name(printed)
    assert len(found) == len(printed) - 1
    committed = by_name((REPOSITORY / "benchmarks/bits.txt").read_text().splitlines())
    assert found.items() <= committed.items()
    assert {"random permutation of 60,000", "exp of float32", "run of 2 epochs, sprint"} <= found.keys()


def test_a_hash_tells_the_last_bit():
    one = torch.ones(3)
    other = torch.tensor([1, 1, 1 + 2**-23])
    assert bits.hashed([one]) == bits.hashed([one.clone()])
    assert bits.hashed([one]) != bits.hashed([other])


def test_blocks_are_found_and_said_in_words():
    found = bits.blocks_of(build(cards.resolve("net9"), seed=0), (1, 28, 28))
    words = [bits.said(block) for block in found]
    assert words[1].startswith("conv out=12 kernel=3 padding=1 batch_norm relu dropout=")
    assert words[1].endswith(" max_pool 2x2 stride=2 on 10x28x28")
    assert words[-1] == "linear out=10 on 12x1x1"


def test_the_passes_of_a_block_are_its_gradients():
    """A linear layer alone, so that the gradients are matrix products of what went in."""
    forward, backward = bits.passes(blocks.Block(5, 1, 1, product=blocks.LINEAR, out=3))
    x, weight, bias = bits.numbers(bits.IMAGES, 5), bits.numbers(3, 5, seed=1) / 2, bits.numbers(3, seed=2)
    y = blocks.to_lanes(torch.nn.functional.linear(x, weight, bias))
    torch.testing.assert_close(forward[0][:-1], y[:-1])
    g = blocks.from_lanes(bits.numbers(*y.shape, seed=5), bits.IMAGES).flatten(1)
    torch.testing.assert_close(backward[1].view(3, 5), g.T @ x)
    torch.testing.assert_close(backward[2], g.sum(0))


def test_the_comparison_prints_how_many_times_as_fast_the_run_is(project, monkeypatch):
    """In this one process: it stands for the fresh ones."""
    monkeypatch.setattr(
        throughput, "side_by_side", lambda function, processes, kernels=None: [function() for _ in range(processes)]
    )
    torch.set_num_threads(1)  # two would wait for each other where tests run side by side
    monkeypatch.setattr(throughput, "compile_seconds", lambda kernels: 1.0)
    monkeypatch.setattr(step, "REPEATS", 1)
    monkeypatch.setattr(step, "PEAK_ROUNDS", 10_000)
    monkeypatch.setenv("DIGIT_LADDER_WORKERS", "2")
    monkeypatch.setattr(throughput, "find_spec", lambda name: None)
    lines = list(throughput.compare(["session7_rotate"], 0.05))
    figures = next([float(x) for x in line.split()[1:]] for line in lines if line.startswith("session7_rotate "))
    kinds = len(throughput.KERNELS)
    assert len(figures) == 3 + 2 * kinds
    assert min(figures) > 0
    runs, times = figures[3 : 3 + kinds], figures[3 + kinds :]
    for found, took in zip(times, runs, strict=True):  # of seconds that were rounded to tenths
        low, high = ((min(figures[:2]) - end) / (took + end) for end in (0.05, -0.05))
        assert low - 0.05 <= found <= high + 0.05
    assert any(re.fullmatch(r"session7_rotate, run .*\d+%  .*\d+%", line) for line in lines)


def test_the_sprint_is_timed_and_tested_beside_the_loop(project, monkeypatch):
    """The loop's epochs are given: 10 s before and 14 s after, so 12 s in the mean, twelve times to the target."""
    images, labels, *_ = synthetic_digits(500)
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
    model.load_state_dict(run.run(recipe, Split(*throughput.data()), 0)[-1].weights)
    model.eval()
    read = model((images / 255 - 0.1307) / 0.3081).argmax(1)
    assert accuracy == pytest.approx(100 * (read == labels).float().mean().item())
    assert "loop 144 s (12 epochs" in lines[-2]
    assert f"{144 / seconds:.1f} times as fast with one core, {288 / seconds:.1f} times with all" in lines[-1]


def test_an_epoch_is_scaled_from_the_median_lap():
    assert throughput.epoch([0.1, 0.2, 9.0], images=60) == pytest.approx(0.2 * 1000)


def test_a_clock_leaves_the_first_laps_out(monkeypatch):
    now = iter(range(100))
    monkeypatch.setattr(time, "perf_counter", lambda: float(next(now)))
    clock = throughput.Clock(seconds=3)
    assert [clock.lap() for _ in range(throughput.WARM_UP + 3)] == [False] * (throughput.WARM_UP + 2) + [True]
    assert clock.laps == [1, 1, 1]


def test_the_steps_that_are_timed_are_a_runs():
    """Two laps of 16 batches, and an epoch of a run of the same digits, move the weights as often."""
    recipe = cards.resolve("tiny", cards.TrainOverrides(epochs=1))
    counts, train_batch = [], run.train_batch
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(run, "train_batch", lambda *args: counts.append(len(args[3])) or train_batch(*args))
        data = synthetic_digits(2 * run.AT_ONCE * recipe.batch_size)
        run.run(recipe, data, seed=0)
        of_run, counts = counts, []
        several = step.laps(recipe, data.images, data.labels)
        for _ in range(2):
            next(several)()
    assert counts == of_run == [recipe.batch_size] * 2 * run.AT_ONCE


def test_operations_of_a_step_are_torchs_count():
    """lenet5 has no padding and no pass to its first input, as torch's own counter sees it."""
    from torch.utils.flop_counter import FlopCounterMode

    recipe = cards.resolve("lenet5")
    modules = [module for module in build(recipe, seed=0).children() if not isinstance(module, torch.nn.Softmax)]
    counter = FlopCounterMode(display=False)
    with counter:
        torch.nn.Sequential(*modules)(torch.zeros(recipe.batch_size, 1, 32, 32)).sum().backward()
    assert step.step_operations(recipe) == counter.get_total_flops()


@pytest.mark.parametrize("rung", throughput.RUNGS)
def test_the_notebooks_network_is_the_rungs(rung):
    recipe = cards.resolve(rung)
    ours, theirs = (model.state_dict().values() for model in (build(recipe, 0), notebook.network_of(recipe)))
    assert [tensor.shape for tensor in ours] == [tensor.shape for tensor in theirs]


def test_plain_torch_turns_images_as_a_rotation_by_a_quarter():
    images = synthetic_digits(3).images
    x = images.to(torch.float32)
    turned = rivals.warped(x, torch.full((3,), math.pi / 2), torch.ones(3), "nearest")
    assert torch.equal(turned, x.rot90(1, (2, 3))) or torch.equal(turned, x.rot90(-1, (2, 3)))


@pytest.mark.parametrize("rung", throughput.RUNGS)
def test_a_step_in_jax_is_a_step_of_plain_torch(rung):
    """In float64, from the same weights, without dropout, whose random numbers are each framework's own."""
    jax = pytest.importorskip("jax")
    with jax.enable_x64(True):
        check_a_step_in_jax(jax, rung)


def check_a_step_in_jax(jax, rung):
    recipe = cards.resolve(rung)
    recipe = recipe.model_copy(update={"network": [of for of in recipe.network if of.name != "dropout"]})
    model = notebook.network_of(recipe).double()
    optimizer = notebook.optimizer_of(recipe, model)
    images, labels, *_ = synthetic_digits(64)
    weights = in_jax(model)
    nothing = jax.tree.map(jax.numpy.zeros_like, weights)
    state = (weights, nothing, jax.tree.map(jax.numpy.zeros_like, weights), 0)
    train, batch = rivals.jax_train(recipe, images, labels), torch.arange(0, 64, 2)
    for _ in range(2):  # in the second step, moments count
        state = train(state, jax.numpy.asarray(batch.numpy()), jax.random.key(0))
        optimizer.zero_grad()
        x = (images[batch].double() / 255 - recipe.input.mean) / recipe.input.std
        torch.nn.functional.nll_loss(model(x), labels[batch].to(torch.int64)).backward()
        optimizer.step()
    found, expected = jax.tree.leaves(state[0]), jax.tree.leaves(in_jax(model))
    assert len(found) == len(list(model.parameters()))
    for ours, theirs in zip(found, expected, strict=True):
        assert abs(ours - theirs).max() < 1e-6 * recipe.learning_rate


def in_jax(model):
    """Return the weights of each module of plain torch as `rivals.jax_train` has them: [rows, columns, in, out]."""
    import jax

    return [
        [
            jax.numpy.asarray((own.permute(2, 3, 1, 0) if own.ndim == 4 else own).detach().numpy().copy())
            for own in module.parameters()
        ]
        for module in model
    ]


def test_pictures_of_every_kind_are_prepared_and_counted():
    """Bars of eight widths, read by looking for the nearest one: pictures from which they come back lose nothing."""

    class Lookup:
        """Reads an image as the nearest of those it knows."""

        name, seed = "lookup", 0

        def __init__(self, images, labels):
            self.known, self.labels = images.flatten(1).double(), labels.long()

        def probabilities(self, images):
            nearest = torch.cdist(images.flatten(1).double(), self.known).argmin(1)
            return torch.nn.functional.one_hot(self.labels[nearest], 10)

    images, labels = torch.zeros(8, 1, 28, 28, dtype=torch.uint8), torch.arange(8)
    for width in range(8):
        images[width, 0, 4:24, 13 - width : 16 + width] = 255
    head, plain, *others = prepare.lines(Lookup(images, labels), images, labels)
    assert head.startswith("lookup, seed 0: test images read correctly, of the first 8,")
    assert plain.split()[-1] == "100.00"
    assert len(others) == len(prepare.PICTURES)
    assert all(line.endswith("100.00  +0.00") for line in others[:3])


def test_real_writers_are_left_out_by_number_of_seeds(monkeypatch):
    """Both rungs of a pair need twice as many seeds, since those of one half are compared with those of the other."""
    rungs = ("session7_rotate", "champion", "sprint")
    monkeypatch.setattr(verdicts, "DRAWS", 2)
    monkeypatch.setattr(verdicts, "REAL", rungs)
    _, *rows = verdicts.left_out(np.random.default_rng(0))
    pairs = [re.match(r" +(\d+) \+ +\1 seeds +(\w+) +-> (\w+)", row).groups() for row in rows]
    seeds = yaml.safe_load((REPOSITORY / "rungs/params.yaml").read_text())["seeds"]
    assert pairs == [
        (str(count), *pair)
        for count in (5, 10)
        for pair in pairwise(rungs)
        if min(seeds[rung] for rung in pair) >= 2 * count
    ]
    assert ("10", "champion", "sprint") in pairs


def test_halves_share_no_seed():
    seeds = np.arange(20)[:, None]
    first, second = verdicts._halves(np.random.default_rng(0), seeds, 5)
    assert (len(first), len(second)) == (5, 5)
    assert len(np.unique([first, second])) == 10
