"""Optimizers against torch's own in float64, with weight decay only where it belongs."""

import pytest
import torch
from projects import SMALL, small

from ladder.network.build import build
from ladder.training import optimizers

OPTIMIZERS = {
    "plain": ("sgd", torch.optim.SGD, {}),
    "momentum": ({"sgd": {"momentum": 0.9}}, torch.optim.SGD, {"momentum": 0.9}),
    "nesterov": (
        {"sgd": {"momentum": 0.9, "nesterov": True, "weight_decay": 0.1}},
        torch.optim.SGD,
        {"momentum": 0.9, "nesterov": True, "weight_decay": 0.1},
    ),
    "adam": ("adam", torch.optim.Adam, {}),
}


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_five_steps_are_torchs(name):
    """A convolution with and one without bias, a normalisation and a linear layer: only weights are decayed."""
    kind, make, arguments = OPTIMIZERS[name]
    layers = [
        {"conv": {"out": 4, "kernel": 3, "bias": True}},
        *SMALL["network"][1:-3],
        "flatten",
        {"linear": {"out": 10}},
    ]
    recipe = small(optimizer=kind, learning_rate=0.1, network=[*layers, "log_softmax"])
    ours, theirs = build(recipe, seed=0), build(recipe, seed=0).double()
    names = [key for key, _ in theirs.named_parameters()]
    spared = {key: weight for key, weight in theirs.named_parameters() if "bias" in key or "batch_norm" in key}
    decayed = {key: weight for key, weight in theirs.named_parameters() if key not in spared}
    assert (len(spared), len(decayed)) == (4, 3)
    optimizer = optimizers.make_optimizer(recipe, ours)
    plain = {key: value for key, value in arguments.items() if key != "weight_decay"}
    oracles = [
        make(decayed.values(), lr=0.1, foreach=False, **arguments),
        make(spared.values(), lr=0.1, foreach=False, weight_decay=0, **plain),
    ]
    for step in range(5):
        rate = 0.1 / (1 + step)
        optimizers.set_rate(optimizer, rate)
        for oracle in oracles:
            oracle.param_groups[0]["lr"] = rate
        generator = torch.Generator().manual_seed(step)
        for a, b in zip(ours.parameters(), theirs.parameters(), strict=True):
            b.grad = torch.randn(b.shape, dtype=torch.float64, generator=generator)
            a.grad = b.grad.float()
        for each in (optimizer, *oracles):
            each.step()
    for key, a, b in zip(names, ours.parameters(), theirs.parameters(), strict=True):
        torch.testing.assert_close(a.double(), b, rtol=2e-6, atol=2e-7, msg=key)


class Factored(torch.optim.Optimizer):
    """State as a factored second moment has it: sums over rows, not shaped like the parameter, and a count."""

    def __init__(self, parameters):
        super().__init__(parameters, {})

    def step(self):
        for parameter in self.param_groups[0]["params"]:
            state = self.state[parameter]
            state["count"] = state.get("count", torch.zeros((), dtype=torch.int64)) + 1
            state["rows"] = parameter.detach().flatten(1).sum(1) * state["count"]
            state["average"] = parameter.detach() * 2
            state["unused"] = None


def test_a_state_comes_back_whatever_its_shape_and_in_the_layout_that_kernels_need():
    model = torch.nn.Conv2d(3, 4, 3, bias=False).to(memory_format=torch.channels_last)
    optimizer, other = Factored(model.parameters()), Factored(model.parameters())
    optimizer.step()
    kept = {key: value.clone().contiguous() for key, value in optimizers.state_of(model, optimizer).items()}
    assert {key: tuple(value.shape) for key, value in kept.items()} == {
        "weight.count": (),
        "weight.rows": (4,),
        "weight.average": (4, 3, 3, 3),
    }
    optimizers.restore(model, other, kept)
    restored = other.state[model.weight]
    for key, value in restored.items():
        assert torch.equal(value, optimizer.state[model.weight][key])
        assert value.dtype == optimizer.state[model.weight][key].dtype
        assert not value.requires_grad
    assert restored["average"].stride() == model.weight.stride()
    kept["weight.rows"].zero_()
    assert restored["rows"].any(), "a copy"
