"""The run: the same bytes however it is started, and the same learning as plain PyTorch's."""

import os
import subprocess
import sys

import pytest
import torch
from projects import REPOSITORY, SMALL, as_bytes, small
from torch import nn
from torch.nn import functional as F

from ladder.cards import losses
from ladder.data.synthetic import synthetic_digits
from ladder.exceptions import LadderError
from ladder.lanes import draws, optimizers
from ladder.network.build import build
from ladder.network.inference import infer
from ladder.training import run
from ladder.training.fingerprint import fingerprint


@pytest.fixture(scope="module")
def data(digits):
    return digits.pick(slice(300))


def test_the_same_arguments_give_the_same_bytes_whatever_ran_before(data):
    first = as_bytes(run.run(small(), data, seed=0))
    torch.rand(1000)
    run.run(small(epochs=1), data, seed=3)
    assert as_bytes(run.run(small(), data, seed=0)) == first


def test_a_fresh_process_with_another_environment_gives_the_same_bytes():
    environment = {"OMP_NUM_THREADS": "4", "LC_ALL": "de_DE.UTF-8", "LANG": "tr_TR.UTF-8"}
    code = (
        "from projects import small; from ladder.training.fingerprint import fingerprint; print(fingerprint(small()))"
    )
    variables = os.environ | {"PYTHONPATH": f"{REPOSITORY}:{REPOSITORY}/tests"} | environment
    done = subprocess.run([sys.executable, "-c", code], env=variables, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == fingerprint(small())


def test_seeds_differ(data):
    weights = [run.run(small(epochs=1), data, seed)[0].weights for seed in (0, 1)]
    assert not torch.equal(weights[0]["1_conv.weight"], weights[1]["1_conv.weight"])


@pytest.mark.parametrize(
    "changes",
    [
        {"optimizer": {"sgd": {"momentum": 0.9}}},
        {"optimizer": "adam"},
        {
            "optimizer": {"sgd": {"momentum": 0.9, "nesterov": True, "weight_decay": 0.01}},
            "schedule": "one_cycle",
            "label_smoothing": 0.1,
            "augment": [{"affine": {"degrees": 10, "translate": 2, "scale": 0.1}}],
        },
        {"optimizer": "adam", "schedule": "one_cycle"},
        {
            "network": [
                *SMALL["network"][:5],
                {"residual": [{"conv": {"out": 4, "kernel": 1}}, "batch_norm", "gelu", {"dropout": {"p": 0.2}}]},
                *SMALL["network"][5:],
            ]
        },
    ],
)
def test_a_run_continued_at_any_epoch_ends_with_the_same_bytes(data, changes):
    recipe = small(learning_rate=0.01, **changes)
    whole = run.run(recipe, data, seed=0)
    for stop in (1, 2):
        rest = list(run.epochs(recipe, data, seed=0, done=whole[:stop]))
        assert as_bytes(rest) == as_bytes(whole[stop:])


def test_training_is_that_of_a_plain_pytorch_loop(data):
    """The oracle: torch's own layers, loss and optimizer, written out as a notebook has them."""
    recipe = small(network=[x for x in SMALL["network"] if "dropout" not in x], augment=[], schedule="constant")
    recipe = recipe.model_copy(update={"learning_rate": 0.02})  # small steps: rounding does not grow to a difference
    images, labels, *_ = data
    held = run.holdout_mask(data, recipe.holdout)
    x = ((images[~held].float() / 255) - 0.1307) / 0.3081
    y = labels[~held].long()
    plain = nn.Sequential(
        nn.Conv2d(1, 4, 3, bias=False),
        nn.BatchNorm2d(4),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Conv2d(4, 10, 3, bias=False),
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
        nn.LogSoftmax(1),
    )
    start = build(recipe, 0).state_dict()
    plain.load_state_dict(dict(zip(plain.state_dict(), start.values(), strict=True)))
    optimizer = torch.optim.SGD(plain.parameters(), lr=0.02, momentum=0.9)
    for number, epoch in enumerate(run.run(recipe, data, seed=0), start=1):
        order = draws.permutation(len(x), draws.generator(0, number))
        total, right = 0.0, 0
        for batch in order.split(32):
            optimizer.zero_grad()
            outputs = plain(x[batch])
            loss = F.nll_loss(outputs, y[batch])
            loss.backward()
            optimizer.step()
            total += loss.item() * len(batch)
            right += (outputs.argmax(1) == y[batch]).sum().item()
        assert epoch.row["train_loss"] == pytest.approx(total / len(x), rel=1e-4)
        assert epoch.row["train_accuracy"] == pytest.approx(100 * right / len(x), abs=0.5)
        for ours, theirs in zip(epoch.weights.values(), plain.state_dict().values(), strict=True):
            torch.testing.assert_close(ours, theirs, rtol=1e-3, atol=1e-4)


def test_running_accuracy_and_loss_are_means_over_images(data):
    """With a learning rate of almost nothing the weights stand still, so the means can be taken at once."""
    recipe = small(
        learning_rate=1e-30, augment=[], schedule="constant", network=[x for x in SMALL["network"] if x != "batch_norm"]
    )
    recipe = recipe.model_copy(update={"network": [x for x in recipe.network if x.name != "dropout"], "epochs": 1})
    images, labels, *_ = data
    epoch = run.run(recipe, data, seed=0)[0]
    seen = ~run.holdout_mask(data, 20)
    model = build(recipe, 0)
    outputs = infer(model, images[seen], recipe)
    assert epoch.row["train_loss"] == pytest.approx(F.nll_loss(outputs, labels[seen].long()).item(), rel=1e-5)
    right = (outputs.argmax(1) == labels[seen]).float().mean().item()
    assert epoch.row["train_accuracy"] == pytest.approx(100 * right, abs=1e-6)


def test_the_holdout_is_balanced_fixed_and_not_trained_on(data, digits):
    held = run.holdout_mask(digits, 5000)
    assert digits.labels[held].bincount().tolist() == [500] * 10
    assert torch.equal(held, run.holdout_mask(digits, 5000))

    spoiled = data._replace(images=data.images.clone())
    spoiled.images[run.holdout_mask(data, 20)] = 0
    recipe = small(schedule="constant")
    ours, other = (run.run(recipe, of, seed=0) for of in (data, spoiled))
    assert as_bytes(ours)[-1][1] == as_bytes(other)[-1][1]
    assert ours[-1].row["holdout_loss"] != other[-1].row["holdout_loss"]


def test_a_holdout_larger_than_a_class_is_refused(data):
    with pytest.raises(LadderError, match="holdout 500 wants 50 of the"):
        run.run(small(holdout=500), data, seed=0)


def test_losses_are_by_hand():
    outputs = torch.tensor([[0.7, 0.2, 0.1] + [0.0] * 7, [0.1] * 10])
    labels = torch.tensor([0, 3])
    logs = outputs.log_softmax(1)
    by_hand = -(logs[0, 0] + logs[1, 3]) / 2
    assert losses.CrossEntropy().value(outputs, labels).item() == pytest.approx(by_hand.item())
    assert losses.Nll().value(logs, labels).item() == pytest.approx(by_hand.item())
    expected = (0.3 + 0.2 + 0.1 + 0.9 + 0.1 * 9) / 20
    assert losses.L1().value(outputs, labels).item() == pytest.approx(expected)


@pytest.mark.parametrize("loss", ["nll", "cross_entropy"])
def test_label_smoothing_is_torchs_and_only_training_sees_it(loss, data):
    outputs = torch.randn(64, 10, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    labels = torch.arange(64) % 10
    recipe = small(loss=loss, label_smoothing=0.1)
    shown = outputs.log_softmax(1) if loss == "nll" else outputs
    plain = recipe.loss.value(shown, labels)
    expected = F.cross_entropy(outputs, labels, label_smoothing=0.1)
    torch.testing.assert_close(recipe.loss.smoothed(plain, shown, 0.1), expected, rtol=1e-12, atol=0)
    torch.testing.assert_close(plain, F.cross_entropy(outputs, labels), rtol=1e-12, atol=0)

    still = {"loss": loss, "learning_rate": 1e-30, "schedule": "constant", "epochs": 1}
    with_it, without = (run.run(small(**still, **key), data, seed=0)[0] for key in ({"label_smoothing": 0.1}, {}))
    assert with_it.row == without.row
    moved = {**still, "learning_rate": 0.1}
    with_it, without = (run.run(small(**moved, **key), data, seed=0)[0] for key in ({"label_smoothing": 0.1}, {}))
    assert with_it.row != without.row


def test_every_step_has_its_own_learning_rate(data, monkeypatch):
    """280 images in batches of 32: nine steps an epoch, the last one smaller."""
    rates = []
    step = optimizers.SGD.step

    def noted(optimizer, *arguments):
        rates.append([group["lr"] for group in optimizer.param_groups])
        return step(optimizer, *arguments)

    with monkeypatch.context() as patch:
        patch.setattr(optimizers.SGD, "step", noted)
        rows = [epoch.row for epoch in run.run(small(schedule="one_cycle"), data, seed=0)]
    optimizer = torch.optim.SGD([nn.Parameter(torch.zeros(1))], lr=0.1)
    expected = torch.optim.lr_scheduler.OneCycleLR(optimizer, 0.1, 27, cycle_momentum=False, final_div_factor=400)
    for number, rate in enumerate(rates):
        assert rate == pytest.approx(expected.get_last_lr() * 2, abs=1e-12), number
        optimizer.step()
        if number < 26:
            expected.step()
    assert [row["learning_rate"] for row in rows] == [rates[first][0] for first in (0, 9, 18)]


def test_a_loss_that_is_not_finite_ends_the_run_with_epoch_and_batch(data):
    recipe = small(learning_rate=1e38, schedule="constant", network=["flatten", {"linear": {"out": 10}}, "log_softmax"])
    with pytest.raises(LadderError, match=r"epoch 1, batch [2-9]: the loss is (nan|inf)") as raised:
        run.run(recipe, data, seed=0)
    assert "\n" not in str(raised.value)


def test_a_recipe_that_diverges_on_trial_is_named():
    deep = ["flatten", *[{"linear": {"out": 50}}] * 3, {"linear": {"out": 10}}, "log_softmax"]
    with pytest.raises(LadderError, match=r"^rung wild, on trial with two batches: epoch \d, batch \d: the loss is "):
        fingerprint(small(rung="wild", learning_rate=1e6, schedule="constant", network=deep))


def test_fingerprint_changes_with_what_changes_bits_and_with_nothing_else():
    print_of = fingerprint(small())
    assert fingerprint(small(rung="renamed")) == print_of
    for change in (
        {"learning_rate": 0.11},
        {"batch_size": 33},
        {"epochs": 4},
        {"augment": [{"rotate": {"degrees": 8.0}}]},
        {"network": [{"dropout": {"p": 0.11}} if "dropout" in x else x for x in SMALL["network"]]},
        {"optimizer": "adam"},
        {"schedule": "one_cycle"},
        {"label_smoothing": 0.01},
        {"augment": [{"affine": {"degrees": 7}}]},
        {"optimizer": {"sgd": {"momentum": 0.9, "nesterov": True}}},
        {"optimizer": {"sgd": {"momentum": 0.9, "weight_decay": 0.0001}}},
        {"input": {"mean": 0.13}},
    ):
        assert fingerprint(small(**change)) != print_of, change


@pytest.mark.parametrize("batch_size", [2, 3, 4, 5])
def test_the_smallest_batches_have_a_fingerprint_too(batch_size):
    assert len(fingerprint(small(batch_size=batch_size, epochs=1))) == 64


def test_synthetic_digits_are_fixed_and_of_all_classes():
    images, labels, *_ = synthetic_digits(40)
    assert labels.bincount().tolist() == [4] * 10
    assert images.dtype == torch.uint8
    assert images.max() > 128
    again = synthetic_digits(40).images
    assert torch.equal(images, again)


def test_a_gpu_that_is_not_there_is_one_line(data, monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(LadderError, match=r"torch finds no GPU here; set train\.device to cpu"):
        run.run(small(device="cuda"), data, seed=0)
