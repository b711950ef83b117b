"""The networks of all rungs in lanes, against plain torch in float64 with the same weights and dropped places."""

import io

import pytest
import torch
from test_lanes_blocks import error, margin, passes, plain

from ladder import cards
from ladder.exceptions import LadderError
from ladder.lanes import network
from ladder.network.build import build

pytestmark = pytest.mark.slow

TRIES = 60  # seeds, until no ReLU or max-pooling of a network is about to change its mind


def distinct_networks():
    """Yield the rungs whose networks differ."""
    seen = []
    for rung in cards.rung_names():
        recipe = cards.resolve(rung)
        if (recipe.network, recipe.input.size) not in seen:
            seen.append((recipe.network, recipe.input.size))
            yield rung


def drawn(recipe, images, seed):
    """Return (network in lanes with weights and dropped places, images)."""
    torch.manual_seed(seed)
    net = build(recipe, seed)
    for parameter in net.parameters():
        if parameter.dim() == 1:
            parameter.data += torch.randn_like(parameter) / 10
    for module in net:
        if isinstance(module, network.Dropout):
            module.places = (torch.rand(images * module.elements) < module.p).nonzero().flatten()
    return net, torch.randn(images, 1, recipe.input.size, recipe.input.size)


@pytest.mark.parametrize("rung", list(distinct_networks()))
def test_outputs_and_gradients_are_torchs(rung):
    recipe = cards.resolve(rung)
    images = 3 if rung.startswith("s7_basic") else 9  # the larger a network, the rarer is a clear case
    for seed in range(TRIES):
        net, x = drawn(recipe, images, seed)
        with torch.no_grad():
            clear = margin(plain(net, torch.float64), x.to(torch.float64))
        if clear > 2e-6:
            break
    g = torch.randn(len(x), 10)
    double, single = plain(net, torch.float64), plain(net, torch.float32)
    found, expected, torchs = passes(net, x, g), passes(double, x.to(torch.float64), g), passes(single, x, g)
    for name, value in expected.items():
        if name.startswith("buffer") and float(value.abs().max()) < 1e-5:
            continue  # the mean of a map on both sides of 0
        # part3 is so deep that torch's own float32 is off by 2e-5
        assert error(found[name], value) < max(1e-5, 1.5 * error(torchs[name], value)), (name, clear)
    net.eval(), double.eval()
    with torch.no_grad():
        assert error(net(x), double(x.to(torch.float64))) < 1e-5


def test_a_network_is_saved_and_loaded_as_any_module():
    recipe = cards.resolve("sprint")
    net, x = drawn(recipe, 17, 0)
    net(x)
    file = io.BytesIO()
    torch.save(net, file)
    file.seek(0)
    again = torch.load(file, weights_only=False)
    with torch.no_grad():
        assert torch.equal(again.eval()(x), net.eval()(x))


def test_the_same_call_gives_the_same_bytes():
    net, x = drawn(cards.resolve("net9"), 33, 0)
    g = torch.randn(33, 10)
    with torch.no_grad():
        net.eval()(x[:16])  # evaluation between two steps leaves nothing behind
    net.train()
    state = {name: value.clone() for name, value in net.state_dict().items()}
    first = passes(net, x, g)
    net.zero_grad()
    net.load_state_dict(state)
    for name, value in passes(net, x, g).items():
        assert torch.equal(value, first[name]), name


def test_the_blocks_of_a_network_are_told_in_their_order():
    """A hand count: three convolutions with what follows them, a linear layer, and the logarithm of the softmax."""
    net = build(cards.resolve("sprint"), 0)
    found = network.blocks_in(net, (1, 28, 28))
    assert [block if isinstance(block, str) else block.shape for block, _, _ in found] == [
        (12, 12, 12),
        (20, 5, 5),
        (19, 3, 3),
        (10, 1, 1),
        "log_softmax",
    ]
    layers = dict(net.named_children())
    assert [product for _, product, _ in found] == [
        *(layers[name] for name in ("1_conv", "4_conv", "8_conv", "12_linear")),
        None,
    ]
    assert [norm for _, _, norm in found] == [
        *(layers[name] for name in ("2_batch_norm", "5_batch_norm", "9_batch_norm")),
        None,
        None,
    ]


def test_a_network_that_is_no_row_of_blocks_is_refused():
    layers = [{"residual": [{"conv": {"out": 1, "kernel": 3, "padding": 1}}]}, "flatten", {"linear": {"out": 10}}]
    recipe = cards.resolve("sprint").model_dump() | {"network": [*layers, "log_softmax"]}
    with pytest.raises(LadderError, match="Nested is no block"):
        network.blocks_in(build(cards.Recipe.model_validate(recipe), 0), (1, 28, 28))
