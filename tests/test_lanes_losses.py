"""Losses and their gradients against torch's own in float64."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn import functional as F

from ladder.lanes.losses import loss_of

ENDINGS = {
    "nll": lambda x: x.log_softmax(1),
    "cross_entropy": lambda x: x,
    "l1": lambda x: x.softmax(1),
}


def expected(kind, outputs, labels, smoothing):
    """Return (objective, loss) in float64 by torch's losses. nll of log-probabilities is cross entropy of them."""
    if kind == "l1":
        loss = F.l1_loss(outputs, F.one_hot(labels, outputs.shape[1]).to(outputs.dtype))
        return loss, loss
    if kind == "cross_entropy":
        return F.cross_entropy(outputs, labels, label_smoothing=smoothing), F.cross_entropy(outputs, labels)
    loss = F.nll_loss(outputs, labels)
    return (1 - smoothing) * loss - smoothing * outputs.mean(), loss


@settings(deadline=None, max_examples=150)
@given(
    kind=st.sampled_from(list(ENDINGS)),
    count=st.sampled_from([1, 2, 15, 16, 17, 128]),
    classes=st.integers(2, 40) | st.just(1000),
    spread=st.sampled_from([0.0, 1.0, 30.0, 1000.0]),
    smoothing=st.sampled_from([0.0, 0.05, 0.9]),
    seed=st.integers(0, 2**32),
)
def test_loss_and_gradient_are_torchs(kind, count, classes, spread, smoothing, seed):
    generator = torch.Generator().manual_seed(seed)
    outputs = ENDINGS[kind](spread * torch.randn(count, classes, generator=generator))
    labels = torch.randint(0, classes, (count,), generator=generator)
    smoothing = 0.0 if kind == "l1" else smoothing
    ours, theirs = outputs.clone().requires_grad_(), outputs.to(torch.float64).requires_grad_()
    objective, loss, right = loss_of(ours, labels, kind, smoothing)
    their_objective, their_loss = expected(kind, theirs, labels, smoothing)
    (3 * objective).backward()
    (3 * their_objective).backward()
    scale = max(1.0, outputs.abs().max().item())  # of rounding in float32, before sums
    assert objective.dtype == torch.float32
    assert objective.item() == pytest.approx(their_objective.item(), rel=1e-6, abs=1e-6 * scale)
    assert loss == pytest.approx(their_loss.item(), rel=1e-6, abs=1e-6 * scale)
    torch.testing.assert_close(ours.grad.to(torch.float64), theirs.grad, rtol=1e-5 * scale, atol=3e-7 / count)
    assert right == (outputs.argmax(1) == labels).sum()


def test_the_first_of_equal_outputs_counts():
    outputs = torch.tensor([[1.0, 1.0, 0.0], [1.0, 1.0, 0.0], [0.0, 2.0, 2.0]])
    assert loss_of(outputs, torch.tensor([0, 1, 1]), "cross_entropy")[2] == 2


@pytest.mark.parametrize("fault", [math.nan, math.inf])
def test_a_loss_of_what_is_not_finite_is_not_finite(fault):
    outputs = torch.zeros(20, 10)
    outputs[18, 3] = fault
    for kind in ENDINGS:
        assert not math.isfinite(loss_of(outputs, torch.full((20,), 3), kind)[1])


def test_hopeless_outputs_give_a_large_finite_loss():
    outputs = torch.tensor([[1e4, -1e4]], requires_grad=True)
    objective, loss, right = loss_of(outputs, torch.tensor([1]), "cross_entropy")
    objective.backward()
    assert (loss, right) == (2e4, 0)
    assert outputs.grad.tolist() == [[1, -1]]


@pytest.mark.parametrize("label", [-1, 10])
@pytest.mark.parametrize("kind", list(ENDINGS))
def test_a_label_that_is_no_class_is_an_error(kind, label):
    with pytest.raises(IndexError, match="a label lies outside of 0 to 9"):
        loss_of(torch.zeros(3, 10), torch.tensor([0, label, 0]), kind)


def test_the_gradient_passes_through_a_network():
    """Outputs that are a strided view of something larger, as they may come from a network."""
    x = torch.randn(10, 17, requires_grad=True, generator=torch.Generator().manual_seed(0))
    y = x.detach().clone().requires_grad_()
    labels = torch.arange(17) % 10
    loss_of(x.t(), labels, "cross_entropy")[0].backward()
    F.cross_entropy(y.t(), labels).backward()
    torch.testing.assert_close(x.grad, y.grad)


def test_labels_and_losses_that_do_not_fit_are_an_error():
    with pytest.raises(TypeError, match=r"a tensor of shape \(3,\) here, not \(2,\)"):  # not a read beyond the end
        loss_of(torch.zeros(3, 10), torch.tensor([0, 1]), "nll")
    with pytest.raises(TypeError, match=r"contiguous torch.int64 on the CPU, not torch.uint8"):
        loss_of(torch.zeros(2, 10), torch.tensor([0, 1], dtype=torch.uint8), "nll")
    with pytest.raises(ValueError, match=r"no loss l1 with label smoothing 0\.1"):
        loss_of(torch.zeros(2, 10), torch.tensor([0, 1]), "l1", smoothing=0.1)
