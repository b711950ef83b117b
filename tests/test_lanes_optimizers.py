"""Optimizers against torch's own in float64."""

import copy

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from ladder.lanes.optimizers import SGD, Adam

SHAPES = [(1,), (15,), (16,), (17,), (4, 3, 3, 3), (10, 33)]
KINDS = {
    "plain": (SGD, torch.optim.SGD, {}),
    "momentum": (SGD, torch.optim.SGD, {"momentum": 0.9}),
    "nesterov": (SGD, torch.optim.SGD, {"momentum": 0.9, "nesterov": True}),
    "adam": (Adam, torch.optim.Adam, {}),
}


def parameters(dtype):
    generator = torch.Generator().manual_seed(0)
    return [torch.nn.Parameter(torch.randn(shape, generator=generator).to(dtype)) for shape in SHAPES]


def groups(weights, decay):
    """Return torch's parameter groups: those of more than one dimension are decayed, as a run does it."""
    if not decay:
        return weights
    return [
        {"params": [w for w in weights if w.ndim > 1], "weight_decay": decay},
        {"params": [w for w in weights if w.ndim < 2], "weight_decay": 0.0},
    ]


def step(optimizer, weights, number, rate, without=()):
    """Take step `number` with gradients of its own, none for the weights at the places `without`."""
    for group in optimizer.param_groups:
        group["lr"] = rate
    generator = torch.Generator().manual_seed(number)
    for place, weight in enumerate(weights):
        gradient = torch.randn(weight.shape, generator=generator).to(weight.dtype)
        weight.grad = None if place in without else gradient
    optimizer.step()


@settings(deadline=None, max_examples=40)
@given(
    name=st.sampled_from(list(KINDS)),
    decay=st.sampled_from([0.0, 0.0005, 0.1]),
    rates=st.lists(st.floats(1e-5, 0.5), min_size=1, max_size=12),
)
def test_steps_are_torchs(name, decay, rates):
    ours_kind, theirs_kind, arguments = KINDS[name]
    decay = 0.0 if name == "adam" else decay
    ours, theirs = parameters(torch.float32), parameters(torch.float64)
    optimizers = [
        (ours_kind(groups(ours, decay), 0.1, **arguments), ours),
        (theirs_kind(groups(theirs, decay), 0.1, foreach=False, **arguments), theirs),
    ]
    for number, rate in enumerate(rates):
        for optimizer, weights in optimizers:
            step(optimizer, weights, number, rate, without=[3] if number == 1 else [])
    for a, b in zip(ours, theirs, strict=True):
        torch.testing.assert_close(a.detach().double(), b.detach(), rtol=1e-5, atol=2e-6)


@pytest.mark.parametrize("number", [1, 2, 1000, 100_000, 10_000_000])
def test_adams_correction_is_torchs_at_any_step(number):
    ours, theirs = parameters(torch.float32), parameters(torch.float64)
    for weights, optimizer in ((ours, Adam(ours, 0.01)), (theirs, torch.optim.Adam(theirs, 0.01, foreach=False))):
        step(optimizer, weights, 0, 0.01)
        for state in optimizer.state.values():
            state["step"].fill_(number - 1)
        step(optimizer, weights, 1, 0.01)
    for a, b in zip(ours, theirs, strict=True):
        torch.testing.assert_close(a.detach().double(), b.detach(), rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("name", list(KINDS))
def test_states_are_named_and_shaped_as_torchs(name):
    ours_kind, theirs_kind, arguments = KINDS[name]
    states = []
    for kind in (ours_kind, theirs_kind):
        weights = parameters(torch.float32)
        optimizer = kind(weights, 0.1, **arguments)
        step(optimizer, weights, 0, 0.1)
        tensors = [{key: v for key, v in optimizer.state[w].items() if v is not None} for w in weights]
        states.append([{key: (v.shape, v.dtype) for key, v in each.items()} for each in tensors])
    assert states[0] == states[1]


@pytest.mark.parametrize("name", list(KINDS))
def test_a_run_continues_from_its_state_dict_with_the_same_bytes(name):
    kind, _, arguments = KINDS[name]
    weights = parameters(torch.float32)
    optimizer = kind(weights, 0.1, **arguments)
    for number in range(3):
        step(optimizer, weights, number, 0.1)
    copied = [torch.nn.Parameter(w.detach().clone()) for w in weights]
    continued = kind(copied, 0.1, **arguments)
    continued.load_state_dict(copy.deepcopy(optimizer.state_dict()))
    for number in range(3, 6):
        step(optimizer, weights, number, 0.1)
        step(continued, copied, number, 0.1)
    for a, b in zip(weights, copied, strict=True):
        assert torch.equal(a, b)


def test_a_parameter_without_gradient_stays_and_keeps_its_state():
    weights = parameters(torch.float32)
    before = [w.detach().clone() for w in weights]
    optimizer = Adam(weights, 0.1)
    step(optimizer, weights, 0, 0.1, without=[2, 3])
    assert [torch.equal(a, b) for a, b in zip(weights, before, strict=True)] == [False, False, True, True, False, False]
    assert weights[2] not in optimizer.state


def test_no_gradient_at_all_is_no_step():
    for kind in (SGD, Adam):
        weights = parameters(torch.float32)
        kind(weights, 0.1).step()
        for a, b in zip(weights, parameters(torch.float32), strict=True):
            assert torch.equal(a, b)


def test_weights_that_the_kernel_cannot_read_are_an_error():
    weight = torch.nn.Parameter(torch.randn(4, 6).t())
    weight.grad = torch.ones(6, 4)
    with pytest.raises(TypeError, match=r"not torch.float32 with strides \(1, 6\)"):
        SGD([weight], 0.1).step()
    weight = torch.nn.Parameter(torch.ones(3, dtype=torch.float64))
    weight.grad = torch.ones_like(weight)
    with pytest.raises(TypeError, match=r"not torch.float64"):
        Adam([weight], 0.1).step()
