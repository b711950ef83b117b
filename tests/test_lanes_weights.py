"""Starting weights against the distribution of PyTorch's own."""

import math

import pytest
import torch
from scipy import stats
from torch import nn

from ladder.lanes.draws import generator
from ladder.lanes.weights import spread, start

WEIGHTS = [-0.0070722694508731365, 0.06634466350078583, 0.08377964049577713]


def network():
    return nn.Sequential(
        nn.Conv2d(3, 12, 5, groups=3, bias=False),
        nn.BatchNorm2d(12),
        nn.ReLU(),
        nn.Conv2d(12, 40, 3),
        nn.Flatten(),
        nn.Linear(400, 300),
    )


def started(seed):
    model = network()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.fill_(math.nan)
    start(model, seed)
    return model.state_dict()


def test_starting_weights_are_the_known_ones():
    weights = started(seed=7)["3.weight"].flatten()[:3].tolist()
    assert weights == WEIGHTS


@pytest.mark.parametrize(("name", "inputs"), [("0.weight", 25), ("3.weight", 108), ("5.weight", 400), ("5.bias", 400)])
def test_weights_and_biases_are_spread_as_torchs(name, inputs):
    ours, theirs = started(seed=1)[name], network().state_dict()[name]
    reach = 1 / math.sqrt(inputs)
    assert (ours.shape, ours.dtype) == (theirs.shape, theirs.dtype)
    for numbers in (ours, theirs):  # the second tests the test
        assert numbers.abs().max() <= torch.tensor(reach)
        even = stats.uniform(-reach, 2 * reach)
        assert stats.kstest(numbers.flatten().numpy(), even.cdf).pvalue > 1e-4


def test_a_normalisation_starts_as_nothing_but_itself():
    state = started(seed=1)
    assert (state["1.weight"] == 1).all()
    assert (state["1.bias"] == 0).all()
    assert (state["1.running_mean"] == 0).all()
    assert (state["1.running_var"] == 1).all()


def test_each_tensor_and_each_seed_has_numbers_of_its_own():
    first, again, other = started(seed=1), started(seed=1), started(seed=2)
    for name, tensor in first.items():
        assert torch.equal(tensor, again[name])
        assert name.startswith("1.") or not torch.equal(tensor, other[name])
    scaled = [first[name].flatten()[:12] * math.sqrt(inputs) for name, inputs in (("0.weight", 25), ("3.weight", 108))]
    assert not torch.allclose(*scaled)


def test_numbers_are_rounded_once_from_float64():
    numbers = spread(torch.Size([4, 3]), 7, generator("spread"))
    bits = generator("spread").random_raw(12)
    expected = [(2 * ((int(word) >> 11) / 2**53) - 1) * (1 / math.sqrt(7)) for word in bits]
    assert torch.equal(numbers.flatten(), torch.tensor(expected, dtype=torch.float64).to(torch.float32))


def test_parameters_that_nobody_knows_are_an_error():
    with pytest.raises(TypeError, match=r"how do in_proj_weight, in_proj_bias of a MultiheadAttention start"):
        start(nn.MultiheadAttention(4, 2), seed=0)
