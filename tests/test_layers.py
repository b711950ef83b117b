"""The fast layers against torch's own, in float64 where rounding cannot hide a wrong formula."""

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from ladder import cards
from ladder.exceptions import LadderError
from ladder.network import layers
from ladder.network.build import build


def channels_last(*shape, seed=0):
    x = torch.randn(*shape, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))
    return x.contiguous(memory_format=torch.channels_last)


def kept(module, x):
    """Return dropout's factor for each element of x, from the indices drawn for the module."""
    factor = torch.full((x.numel(),), 1 / (1 - module.p), dtype=x.dtype)
    factor[module.dropped_indices] = 0
    n, c, h, w = x.shape
    return factor.view(n, h, w, c).permute(0, 3, 1, 2)


@pytest.mark.parametrize("in_place", [False, True])
@pytest.mark.parametrize("p", [0.0, 0.3])
@pytest.mark.parametrize("relu", [False, True])
def test_norm_relu_drop_is_torchs_three_layers(relu, p, in_place):
    x, weights = channels_last(6, 5, 7, 7), channels_last(6, 5, 7, 7, seed=1)
    ours = layers.NormReluDrop(5, relu, p, 5 * 7 * 7, in_place).double()
    theirs = nn.BatchNorm2d(5).double()
    for module in (ours, theirs):
        with torch.no_grad():
            module.weight.copy_(torch.linspace(-1, 2, 5))
            module.bias.copy_(torch.linspace(0.5, -0.5, 5))
    layers.draw_dropout(ours, 6, torch.Generator().manual_seed(3))
    results = []
    for module in (ours, theirs):
        leaf = x.clone(memory_format=torch.preserve_format).requires_grad_()
        y = module(leaf * 1)  # as from a layer that does not need its output
        if module is theirs:
            y = F.relu(y) if relu else y
            y = y * kept(ours, y) if p else y
        (y * weights).sum().backward()
        results.append((y, leaf.grad, module.weight.grad, module.bias.grad, module.running_mean, module.running_var))
    for a, b in zip(*results, strict=True):
        torch.testing.assert_close(a, b, rtol=1e-10, atol=1e-12)
    assert ours.num_batches_tracked == 1

    ours.eval(), theirs.eval()
    expected = F.relu(theirs(x)) if relu else theirs(x)
    torch.testing.assert_close(ours(x), expected)


def test_a_norm_of_one_value_a_channel_is_one_clear_line():
    norm = layers.NormReluDrop(4, relu=True, p=0.0, elements=4, in_place=True)
    with pytest.raises(LadderError, match="a batch of one image leaves batch normalisation one value a channel"):
        norm(torch.ones(1, 4, 1, 1))
    assert norm(torch.ones(2, 4, 1, 1)).shape == (2, 4, 1, 1)


def test_a_norm_that_may_not_overwrite_its_input_does_not():
    """Project 004 normalises behind the ReLU, whose gradient needs its own output."""
    x = channels_last(4, 3, 5, 5).requires_grad_()
    norm = layers.NormReluDrop(3, False, 0.0, 75, in_place=False).double()
    y = F.relu(x)
    before = y.detach().clone()
    norm(y).square().sum().backward()
    assert torch.equal(y, before)
    other = x.detach().clone().requires_grad_()
    F.batch_norm(F.relu(other), None, None, training=True).square().sum().backward()
    torch.testing.assert_close(x.grad, other.grad, rtol=1e-8, atol=1e-10)


@pytest.mark.parametrize("shape", [(4, 6), (4, 6, 5, 5)])
def test_drop_is_dropout_at_the_indices_drawn(shape):
    x = torch.randn(shape, dtype=torch.float64).requires_grad_()
    drop = layers.Drop(0.25, x[0].numel())
    layers.draw_dropout(drop, len(x), torch.Generator().manual_seed(3))
    factor = torch.full((x.numel(),), 1 / 0.75, dtype=torch.float64)
    factor[drop.dropped_indices] = 0
    y = drop(x)
    assert torch.equal(y, x * factor.view(shape))
    y.sum().backward()
    assert torch.equal(x.grad, factor.view(shape))
    assert torch.equal(drop.eval()(x), x)


@pytest.mark.parametrize("behind", ["flatten", "global_avg_pool"])
def test_a_dropped_element_has_no_gradient_where_the_layout_changes_behind_it(behind):
    """The gradient of `flatten` comes back in another layout of memory than the map it left in."""
    x = channels_last(4, 3, 5, 5).requires_grad_()
    drop = layers.Drop(0.25, x[0].numel())
    layers.draw_dropout(drop, len(x), torch.Generator().manual_seed(3))
    y = drop(x)
    after = y.flatten(1) if behind == "flatten" else F.adaptive_avg_pool2d(y, 1).flatten(1)
    (after * torch.rand(after.shape, dtype=torch.float64)).sum().backward()
    assert (y == 0).sum() == len(drop.dropped_indices) > 50
    assert torch.equal(x.grad == 0, y == 0)


@pytest.mark.parametrize(("channels", "out", "side"), [(1, 10, 28), (10, 16, 14), (16, 16, 12), (8, 12, 10), (3, 2, 3)])
def test_unpadded_conv_has_torchs_gradients(channels, out, side):
    x, weights = channels_last(4, channels, side, side), channels_last(4, out, side - 2, side - 2, seed=1)
    conv = layers.UnpaddedConv(channels, out).double()
    ours, theirs = (x.clone(memory_format=torch.preserve_format).requires_grad_() for _ in range(2))
    (conv(ours) * weights).sum().backward()
    weight = conv.weight.detach().clone().requires_grad_()
    (F.conv2d(theirs, weight) * weights).sum().backward()
    torch.testing.assert_close(ours.grad, theirs.grad, rtol=1e-10, atol=1e-11)
    torch.testing.assert_close(conv.weight.grad, weight.grad, rtol=1e-10, atol=1e-11)


@pytest.mark.parametrize("p", [0.001, 0.01, 0.05, 0.1, 0.5, 0.9])
def test_dropped_indices_are_independent_draws_with_the_probability_asked_for(p):
    """Share of ones, and of ones followed by a one at distances 1, 2 and 10: each within 4.5 deviations."""
    count = 4_000_000
    indices = layers.bernoulli_indices(p, count, torch.Generator().manual_seed(1))
    ones = torch.zeros(count, dtype=torch.bool)
    ones[indices] = True
    assert len(indices) == ones.sum()
    assert abs(ones.double().mean().item() - p) < 4.5 * (p * (1 - p) / count) ** 0.5
    for distance in (1, 2, 10):
        both = (ones[distance:] & ones[:-distance]).double().mean().item()
        spread = (p**2 * (1 - p**2) / count + 2 * p**3 * (1 - p) / count) ** 0.5
        assert abs(both - p**2) < 4.5 * spread


@pytest.mark.parametrize("p", [0.001, 0.01, 0.1, 0.5])
def test_the_gap_table_holds_the_probability_to_better_than_2_to_the_minus_16(p):
    limits, guide, tail = layers._gap_table(p, torch.device("cpu"))
    steps = torch.arange(1, len(limits) + 1, dtype=torch.float64)
    expected = 1 - (1 - p) ** steps
    assert (limits.double() / 2**62 - expected).abs().max() < 1e-12
    # every entry is found: one comparison behind the guide, a search in the tail
    uniform = torch.randint(0, 2**62, (200_000,), generator=torch.Generator().manual_seed(2))
    gap = guide[uniform >> 46]
    gap += uniform >= limits[gap]
    exact = torch.searchsorted(limits, uniform, right=True)
    assert torch.equal(gap[gap < tail], exact[gap < tail])
    assert (gap >= tail).equal(exact >= tail)


def test_layers_of_one_network_drop_different_elements_and_every_batch_anew():
    model = build(cards.resolve("net7"), 0)
    generator = torch.Generator().manual_seed(0)
    draws = []
    for _ in range(2):
        layers.draw_dropout(model, 128, generator)
        draws.append([m.dropped_indices for m in model.modules() if getattr(m, "p", 0)])
    assert len(draws[0]) == 5
    sizes = [128 * m.elements for m in model.modules() if getattr(m, "p", 0)]
    for indices, size in zip(draws[0], sizes, strict=True):
        assert indices.min() >= 0
        assert indices.max() < size
        assert abs(len(indices) / size - 0.01) < 4.5 * (0.01 * 0.99 / size) ** 0.5
    assert not torch.equal(draws[0][0][:50], draws[0][1][:50])
    assert not torch.equal(draws[0][0][:50], draws[1][0][:50])
