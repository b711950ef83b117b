"""Every kernel of the layers, forward and backward, against plain torch in float64."""

import copy
import platform

import pytest
import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from torch import nn

from ladder.exceptions import LadderError
from ladder.lanes import blocks, network
from ladder.lanes.build import library

X86_64 = platform.machine().lower() in ("x86_64", "amd64")
LESSER = ("haswell", pytest.param("x86_64", marks=pytest.mark.slow)) if X86_64 else ("generic",)
BATCHES = st.sampled_from([2, 15, 16, 17, 35])
quick = settings(derandomize=True, deadline=None, max_examples=60)


def plain(net, dtype):
    """Return the same modules as an ordinary Sequential of torch, with copies of the weights."""
    return copy.deepcopy(nn.Sequential(*net)).to(dtype)


def passes(net, x, g):
    """Return by name: the output, and the gradients of sum(output * g) for the input and all parameters."""
    x = x.detach().clone().requires_grad_()
    y = net(x)
    (y * g.to(y.dtype)).sum().backward()
    found = {"output": y.detach(), "input": x.grad}
    found |= {f"{i}": p.grad for i, p in enumerate(net.parameters())}
    return found | {f"buffer {i}": b.detach().clone() for i, b in enumerate(net.buffers())}


def margin(net, x):
    """Return how far the nearest value is from a place where a ReLU or a max-pooling changes its mind."""
    nearest = [torch.tensor(1.0)]
    for module in net:
        if isinstance(module, nn.ReLU):
            nearest.append(x.abs().min())
        if isinstance(module, nn.MaxPool2d):
            windows = nn.functional.unfold(x.flatten(0, 1).unsqueeze(1), module.kernel_size, stride=module.stride)
            if windows.shape[1] > 1:
                top = windows.topk(2, 1).values
                nearest.append((top[:, 0] - top[:, 1])[top[:, 0] != 0].abs().amin() if (top[:, 0] != 0).any() else 1.0)
        x = module(x)
    return min(float(n) for n in nearest)


def error(value, expected):
    """Return the largest difference, relative to the largest expected value."""
    return float((value.to(torch.float64) - expected).abs().max() / expected.abs().max().clamp_min(1e-30))


def agree(modules, x, seed=0):
    """Assert that lanes compute what plain torch does in float64, and hardly worse than torch does in float32."""
    torch.manual_seed(seed)
    net = network.Lanes(*modules)
    for parameter in net.parameters():
        if parameter.dim() == 1:
            parameter.data += torch.randn_like(parameter) / 4
    for module in net:
        if isinstance(module, network.Dropout):
            module.places = (torch.rand(len(x) * module.elements) < module.p).nonzero().flatten()
    double, single = plain(net, torch.float64), plain(net, torch.float32)
    with torch.no_grad():
        flat = plain(net, torch.float64)
        if margin(flat, x.to(torch.float64)) < 2e-6:
            return
        g = torch.randn(double(x.to(torch.float64)).shape)
        double.load_state_dict(net.state_dict())
    found, expected, torchs = passes(net, x, g.flatten(1)), passes(double, x.double(), g), passes(single, x, g)
    found["output"] = found["output"].view(expected["output"].shape)
    scale = max(float(expected[name].abs().max()) for name in expected if name != "output" and "buffer" not in name)
    for name, value in expected.items():
        if float(value.abs().max()) < 1e-6 * scale:
            continue  # a gradient that is 0 but for rounding, such as a bias's before batch normalisation
        assert error(found[name], value) < 1e-5, name
        assert error(found[name], value) < 8 * error(torchs[name], value) + 1e-6, name
    net.eval(), double.eval()
    with torch.no_grad():
        double.load_state_dict(net.state_dict())
        assert error(net(x), double(x.double()).flatten(1)) < 1e-5


@quick
@given(
    images=BATCHES,
    channels=st.integers(1, 7),
    out=st.integers(1, 12),
    side=st.integers(1, 13),
    kernel=st.integers(1, 7),
    stride=st.integers(1, 3),
    padding=st.integers(0, 3),
    dilation=st.integers(1, 3),
    bias=st.booleans(),
    seed=st.integers(0, 99),
)
def test_convolution(images, channels, out, side, kernel, stride, padding, dilation, bias, seed):
    assume(side + 2 * padding > dilation * (kernel - 1))
    x = torch.randn(images, channels, side, side, generator=torch.Generator().manual_seed(seed))
    agree([nn.Conv2d(channels, out, kernel, stride, padding, dilation, bias=bias)], x, seed)


@quick
@given(images=BATCHES, groups=st.integers(1, 5), per=st.integers(1, 3), out=st.integers(1, 3), kernel=st.integers(1, 3))
def test_convolution_in_groups(images, groups, per, out, kernel):
    x = torch.randn(images, groups * per, 9, 9, generator=torch.Generator().manual_seed(groups))
    agree([nn.Conv2d(groups * per, groups * out, kernel, padding=1, groups=groups)], x)


@pytest.mark.parametrize("images", [1, 15, 16, 100])
@pytest.mark.parametrize(("features", "out"), [(1, 1), (400, 120), (84, 10), (171, 10), (37, 23)])
def test_linear(images, features, out):
    x = torch.randn(images, features, 1, 1, generator=torch.Generator().manual_seed(0))
    agree([nn.Flatten(), nn.Linear(features, out)], x)


def test_a_convolution_over_the_whole_map_is_a_linear_layer():
    x = torch.randn(19, 16, 5, 5, generator=torch.Generator().manual_seed(0))
    agree([nn.Conv2d(16, 120, 5), nn.Tanh(), nn.Flatten(), nn.Linear(120, 84)], x)


ACTIVATIONS = st.sampled_from([None, nn.ReLU, nn.Tanh, nn.GELU, nn.SiLU])


@quick
@given(
    images=BATCHES,
    side=st.integers(4, 9),
    has_conv=st.booleans(),
    before=ACTIVATIONS,
    norm=st.booleans(),
    after=ACTIVATIONS,
    p=st.sampled_from([0, 0.05, 0.5]),
    pool=st.sampled_from(["", "max", "average", "global"]),
    kernel=st.integers(1, 3),
    stride=st.sampled_from([None, 1, 2, 3]),
    seed=st.integers(0, 99),
)
def test_all_that_follows_a_convolution(images, side, has_conv, before, norm, after, p, pool, kernel, stride, seed):
    x = torch.randn(images, 3, side, side, generator=torch.Generator().manual_seed(seed))
    channels = 4 if has_conv else 3
    modules = [nn.Conv2d(3, channels, 3, padding=1)] if has_conv else []
    modules += [before()] if before else []
    modules += [nn.BatchNorm2d(channels)] if norm else []
    modules += [after()] if after else []
    modules += [network.Dropout(p, channels * side * side)] if p else []
    pools = {
        "max": nn.MaxPool2d(kernel, stride),
        "average": nn.AvgPool2d(kernel, stride),
        "global": nn.AdaptiveAvgPool2d(1),
    }
    modules += [pools[pool]] if pool else []
    assume(modules)
    agree(modules, x, seed)


@pytest.mark.parametrize("module", [nn.Softmax, nn.LogSoftmax])
@pytest.mark.parametrize("images", [1, 16, 37])
def test_softmax(module, images):
    x = 3 * torch.randn(images, 10, 1, 1, generator=torch.Generator().manual_seed(0))
    agree([nn.Flatten(), module(dim=-1)], x)


def test_softmax_of_large_and_equal_inputs():
    x = torch.tensor([[1e30, -1e30, 0.0], [-500.0, -500.0, -500.0]])
    lanes = network.Lanes(nn.Flatten(), nn.Softmax(dim=1))
    assert torch.equal(lanes(x.view(2, 3, 1, 1)), torch.tensor([[1.0, 0, 0], [1 / 3, 1 / 3, 1 / 3]]))


def test_layouts_there_and_back_and_their_gradients():
    x = torch.randn(21, 3, 4, 5, requires_grad=True)
    lanes = blocks.to_lanes(x)
    assert lanes.shape == (2, 3, 4, 5, 16)
    assert torch.equal(lanes[1, 2, 3, 1, 4], x[20, 2, 3, 1])
    assert torch.equal(lanes[1, ..., 5:], torch.zeros(3, 4, 5, 11))
    back = blocks.from_lanes(lanes, 21)
    assert torch.equal(back, x)
    (back * x.detach()).sum().backward()
    assert torch.equal(x.grad, x.detach())


def test_lanes_without_an_image_count_for_nothing():
    torch.manual_seed(0)
    net = network.Lanes(nn.Conv2d(2, 3, 3), nn.BatchNorm2d(3), nn.Tanh(), nn.Flatten(), nn.Linear(48, 10))
    x, found = blocks.to_lanes(torch.randn(20, 2, 6, 6)), []
    for filling in (0.0, 1e4):
        net.zero_grad()
        x[1, ..., 4:] = filling
        net(x, 20).square().sum().backward()
        found.append([p.grad.clone() for p in net.parameters()])
    for a, b in zip(*found, strict=True):
        assert torch.equal(a, b)


def test_dropout_counts_elements_image_by_image():
    drop = network.Dropout(0.5, 12)
    drop.places = torch.tensor([0, 13, 12 * 16 + 5])
    x = torch.ones(18, 3, 2, 2)
    y = network.Lanes(drop, nn.Flatten())(x)
    assert torch.equal(y, drop(x).flatten(1))
    assert (y == 0).nonzero().tolist() == [[0, 0], [1, 1], [16, 5]]
    assert (y[y != 0] == 2).all()


def test_not_a_number_is_not_lost():
    x = torch.zeros(3, 1, 4, 4)
    x[1, 0, 1, 2] = float("nan")
    for modules in ([nn.ReLU()], [nn.MaxPool2d(2)], [nn.Tanh()], [nn.GELU()], [nn.SiLU()], [nn.Conv2d(1, 1, 3)]):
        y = network.Lanes(*modules, nn.Flatten())(x)
        assert y[1].isnan().any()
        assert not y[[0, 2]].isnan().any()


def test_faults_are_told():
    lanes = torch.zeros(2, 1, 4, 4, 16)
    block = blocks.Block(1, 4, 4, p=0.5)
    with pytest.raises(LadderError, match="no list of"):
        blocks.run_block(block, lanes, 20)
    with pytest.raises(LadderError, match="have the shape"):
        blocks.run_block(block, lanes, 33)
    with pytest.raises(LadderError, match="float32"):
        network.Lanes(nn.ReLU(), nn.Flatten())(torch.zeros(2, 1, 4, 4, dtype=torch.float64))
    with pytest.raises(LadderError, match="no list of"):
        blocks.run_block(block, lanes, 20, places=torch.tensor([1], dtype=torch.int32))
    for places in ([40, 3], [3, 16 * 32], [-1]):
        with pytest.raises(LadderError, match="not sorted, or lie outside"):
            blocks.run_block(block, lanes, 20, places=torch.tensor(places))
    with pytest.raises(LadderError, match="float32 numbers"):
        network.Lanes(nn.Conv2d(1, 2, 3).double(), nn.Flatten())(torch.zeros(2, 1, 4, 4))
    with pytest.raises(LadderError, match="batch of one"):
        network.Lanes(nn.Conv2d(1, 2, 4), nn.BatchNorm2d(2))(torch.zeros(1, 1, 4, 4))
    with pytest.raises(LadderError, match="does not fit"):
        network.Lanes(nn.Conv2d(1, 2, 5))(torch.zeros(2, 1, 4, 4))


def test_weights_in_another_layout_of_memory():
    torch.manual_seed(0)
    conv, x = nn.Conv2d(3, 5, 3), torch.randn(4, 3, 6, 6)
    y = network.Lanes(conv, nn.Flatten())(x)
    assert torch.equal(network.Lanes(conv.to(memory_format=torch.channels_last), nn.Flatten())(x), y)


def test_any_module_of_torch_can_stand_between():
    torch.manual_seed(0)
    x = torch.randn(5, 1, 6, 6)
    agree([nn.Conv2d(1, 4, 3), nn.PixelShuffle(2), nn.Conv2d(1, 2, 3), nn.ELU(), nn.Flatten(), nn.Linear(72, 3)], x)


@pytest.mark.parametrize("cpu", LESSER)
def test_every_processor_gives_the_same_bits(cpu, monkeypatch):
    def results():
        torch.manual_seed(0)
        found = []
        for modules in (
            [nn.Conv2d(2, 12, 3, padding=1), nn.BatchNorm2d(12), nn.ReLU(), drop, nn.MaxPool2d(2)],
            [nn.Conv2d(2, 7, 6, 2, bias=True), nn.Tanh(), nn.BatchNorm2d(7), nn.AvgPool2d(2)],
            [nn.Conv2d(2, 9, 1), nn.GELU(), nn.Conv2d(9, 9, 3, groups=9), nn.SiLU(), nn.Conv2d(9, 3, 2, dilation=2)],
            [nn.Flatten(), nn.Linear(450, 23), nn.Tanh(), nn.Linear(23, 10), nn.LogSoftmax(1)],
        ):
            net, x = network.Lanes(*modules, nn.Flatten()), torch.randn(19, 2, 15, 15)
            with torch.no_grad():
                shape = net(x).shape
            found += passes(net, x, torch.randn(shape)).values()
        return found

    drop = network.Dropout(0.1, 12 * 225)
    drop.places = torch.arange(3, 19 * 12 * 225, 7)
    here = results()
    prepared = blocks.kernels.__wrapped__
    monkeypatch.setattr(blocks, "library", lambda: library(cpu))
    there = prepared()
    monkeypatch.setattr(blocks, "kernels", lambda: there)
    for a, b in zip(here, results(), strict=True):
        assert torch.equal(a, b)
