"""Operations: their shapes by hand, their meaning against plain torch in float64, also nested and in place."""

import math
import os
import re
import shutil
import subprocess
import sys

import pytest
import torch
from projects import REPOSITORY, small
from torch import nn
from torch.nn import functional as F

from ladder import cards
from ladder.cards.operations import Gelu, Operation, Sequence, Silu
from ladder.cards.schema import words_of
from ladder.cards.shapes import with_inside
from ladder.exceptions import LadderError
from ladder.lanes.draws import generator
from ladder.lanes.network import Dropout, draw_dropout
from ladder.network.build import build

POINTS = torch.linspace(-6, 6, 241, dtype=torch.float64)
END = ["global_avg_pool", "flatten", "log_softmax"]


def test_gelu_and_silu_are_their_papers_formulas():
    gelu, silu = (word().module(nn, (241,))(POINTS) for word in (Gelu, Silu))
    for x, ours, other in zip(POINTS.tolist(), gelu.tolist(), silu.tolist(), strict=True):
        assert ours == pytest.approx(x * (1 + math.erf(x / 2**0.5)) / 2, abs=1e-14)
        assert other == pytest.approx(x / (1 + math.exp(-x)), abs=1e-14)


@pytest.mark.parametrize("word", ["gelu", "silu", "tanh", "relu"])
def test_an_activation_keeps_shape_and_field_and_has_no_parameters(word):
    network = [{"conv": {"out": 10, "kernel": 5}}, word, *END]
    _, row, *_ = cards.layer_table(small(network=network))
    assert (row.shape, row.receptive_field, row.parameters) == ((10, 24, 24), 5, 0)


NESTED = [
    {"conv": {"out": 6, "kernel": 5, "stride": 2}},  # 12 x 12, field 5, jump 2
    "relu",
    {"residual": [{"conv": {"out": 4, "kernel": 3, "padding": 1}}, "batch_norm", {"conv": {"out": 6, "kernel": 1}}]},
    {"residual": [{"residual": ["batch_norm", "gelu"]}, {"conv": {"out": 6, "kernel": 3, "padding": 1, "bias": True}}]},
    {"conv": {"out": 10, "kernel": 3}},
    *END,
]
BY_HAND = {  # number: (word, shape, receptive field, parameters)
    "1": ("conv", (6, 12, 12), 5, 150),
    "2": ("relu", (6, 12, 12), 5, 0),
    "3": ("residual", (6, 12, 12), 9, 216 + 8 + 24),
    "3.1": ("conv", (4, 12, 12), 9, 216),
    "3.2": ("batch_norm", (4, 12, 12), 9, 8),
    "3.3": ("conv", (6, 12, 12), 9, 24),
    "4": ("residual", (6, 12, 12), 13, 12 + 330),
    "4.1": ("residual", (6, 12, 12), 9, 12),
    "4.1.1": ("batch_norm", (6, 12, 12), 9, 12),
    "4.1.2": ("gelu", (6, 12, 12), 9, 0),
    "4.2": ("conv", (6, 12, 12), 13, 330),
    "5": ("conv", (10, 10, 10), 17, 540),
    "6": ("global_avg_pool", (10, 1, 1), 35, 0),
    "7": ("flatten", (10,), 35, 0),
    "8": ("log_softmax", (10,), 35, 0),
}


def test_a_nested_network_has_the_table_made_by_hand():
    recipe = small(network=NESTED)
    table = {
        row.number: (row.layer.name, row.shape, row.receptive_field, row.parameters)
        for row in with_inside(cards.layer_table(recipe))
    }
    assert table == BY_HAND
    assert cards.parameters(recipe) == 150 + 248 + 342 + 540
    assert sum(weight.numel() for weight in build(recipe, 0).parameters()) == cards.parameters(recipe)


def test_the_work_of_a_residual_is_that_of_its_layers_and_one_more_map():
    inside = {"conv": {"out": 10, "kernel": 3, "padding": 1}}
    start = {"conv": {"out": 10, "kernel": 5}}
    flat, nested = (cards.work(small(network=[start, layer, *END])) for layer in (inside, {"residual": [inside]}))
    assert nested - flat == small().epochs * 10 * 10 * 24 * 24


def test_weights_are_named_by_their_place_and_stay_so():
    names = list(build(small(network=NESTED), 0).state_dict())
    assert names[:3] == ["1_conv.weight", "3_residual.1_conv.weight", "3_residual.2_batch_norm.weight"]
    assert "4_residual.1_residual.1_batch_norm.running_mean" in names


BAD = {
    "a changed shape": (
        [{"conv": {"out": 4, "kernel": 3}}, {"residual": [{"conv": {"out": 5, "kernel": 1}}]}],
        "layer 2, residual: its layers turn shape (4, 26, 26) into (5, 26, 26); they must keep it",
    ),
    "a fault inside": (
        [{"residual": ["relu", {"residual": ["tanh", {"linear": {"out": 4}}]}]}],
        "layer 1.2.2, linear: its input has shape (1, 28, 28); flatten it first",
    ),
    "a map that ends": (
        [{"residual": ["flatten"]}],
        "layer 1, residual: its layers turn shape (1, 28, 28) into (784,); they must keep it",
    ),
}


@pytest.mark.parametrize("fault", BAD)
def test_a_nested_fault_is_told_with_the_layers_number(fault):
    network, message = BAD[fault]
    with pytest.raises(LadderError) as raised:
        cards.layer_table(small(network=[*network, *END]))
    assert str(raised.value) == f"rung small: {message}"


MIXED = [
    {"conv": {"out": 6, "kernel": 3, "padding": 1}},
    "batch_norm",
    "relu",
    {
        "residual": [
            {"conv": {"out": 6, "kernel": 3, "padding": 1}},
            "batch_norm",
            "relu",
            {"dropout": {"p": 0.2}},
            {"conv": {"out": 6, "kernel": 1}},
            "batch_norm",
            "relu",
        ]
    },
    {"residual": ["batch_norm", "relu", {"residual": [{"conv": {"out": 6, "kernel": 1}}, "batch_norm", "relu"]}]},
    {"conv": {"out": 10, "kernel": 3}},
    {"residual": [{"dropout": {"p": 0.3}}]},
    {"residual": ["silu"]},
    {"residual": ["batch_norm", {"dropout": {"p": 0.2}}]},
    {"avg_pool": {"kernel": 2}},
    "flatten",
    {"residual": [{"linear": {"out": 1690}}, "gelu", {"dropout": {"p": 0.3}}]},
    {"linear": {"out": 10}},
    "log_softmax",
]


def dropped(x, module, p):
    """Return x with dropout by the indices that were drawn for a module."""
    factor = torch.full((x.numel(),), 1 / (1 - p), dtype=x.dtype)
    factor[module.places] = 0
    return x * factor.view(x.shape)


def by_hand(layers, x, weights, drops, prefix=""):
    """Return what layers, as a card has them, make of x in train mode: by torch's functions, out of place."""
    for number, layer in enumerate(layers, start=1):
        word, arguments = next(iter(layer.items())) if isinstance(layer, dict) else (layer, {})
        name = f"{prefix}{number}_{word}."
        if word == "conv":
            x = F.conv2d(x, weights[f"{name}weight"], padding=arguments.get("padding", 0))
        elif word == "linear":
            x = F.linear(x, weights[f"{name}weight"], weights[f"{name}bias"])
        elif word == "batch_norm":
            x = F.batch_norm(x, None, None, weights[f"{name}weight"], weights[f"{name}bias"], training=True)
        elif word == "dropout":
            x = dropped(x, next(drops), arguments["p"])
        elif word == "residual":
            x = x + by_hand(arguments, x, weights, drops, name)
        else:
            calls = {"relu": F.relu, "silu": F.silu, "gelu": F.gelu, "flatten": lambda x: x.flatten(1)}
            calls |= {"avg_pool": lambda x: F.avg_pool2d(x, 2), "log_softmax": lambda x: x.log_softmax(1)}
            x = calls[word](x)
    return x


def test_residuals_have_plain_torchs_outputs_and_gradients():
    """The oracle is in float64, so that a map overwritten while still needed cannot pass for rounding."""
    network = build(small(network=MIXED), seed=0)
    drops = [module for module in network.modules() if isinstance(module, Dropout)]
    draw_dropout(network, 9, generator("dropout"))
    images = torch.randn(9, 1, 28, 28, generator=torch.Generator().manual_seed(1))
    weights = {name: weight.detach().double().requires_grad_() for name, weight in network.named_parameters()}
    labels, x, y = torch.arange(9), images.clone().requires_grad_(), images.double().requires_grad_()
    ours, theirs = network(x), by_hand(MIXED, y, weights, iter(drops))
    for outputs in (ours, theirs):
        F.nll_loss(outputs, labels).backward()
    assert len(drops) == 4
    pairs = [(ours, theirs), (x.grad, y.grad)]
    pairs += [(weight.grad, weights[name].grad) for name, weight in network.named_parameters()]
    for found, expected in pairs:
        assert (found - expected).abs().max() <= 2e-5 * expected.abs().max()


def test_dropout_inside_a_residual_is_drawn_for_its_own_elements():
    network = build(small(network=MIXED), 0)
    drops = [module for module in network.modules() if isinstance(module, Dropout)]
    assert [module.elements for module in drops] == [6 * 28 * 28, 10 * 26 * 26, 10 * 26 * 26, 1690]
    draw_dropout(network, 64, generator("dropout"))
    for module in drops:
        count = 64 * module.elements
        assert module.places.min() >= 0
        assert module.places.max() < count
        deviation = (module.p * (1 - module.p) / count) ** 0.5
        assert abs(len(module.places) / count - module.p) < 4.5 * deviation


def test_lanes_and_torchs_own_modules_agree_in_eval_mode():
    network = build(small(network=MIXED), 0).eval()
    images = torch.randn(3, 1, 28, 28, generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        torch.testing.assert_close(network(images), nn.Sequential.forward(network, images), rtol=1e-5, atol=1e-6)


def test_every_word_has_a_meaning_and_a_text():
    """A word without one would be found only when somebody trains it."""
    arguments = {"conv": {"out": 4, "kernel": 3}, "linear": {"out": 4}, "dropout": {"p": 0.5}}
    arguments |= {"max_pool": {"kernel": 2}, "avg_pool": {"kernel": 2}, "residual": ["relu"]}
    flat = {"linear", "softmax", "log_softmax"}
    for name, word in words_of(Operation).items():
        assert word.__doc__, name
        layer = word.model_validate(arguments.get(name, {}))
        shape = (48,) if name in flat else (3, 4, 4)
        x = torch.rand(2, *shape)
        if isinstance(layer, Sequence):
            assert torch.equal(layer.combine(x, x), 2 * x)
            continue
        module = layer.module(nn, shape)
        assert module(x).shape == (2, *layer.out_shape(shape)), name
        assert sum(weight.numel() for weight in module.parameters()) == layer.parameters(shape), name


def test_a_new_word_is_a_class_and_nothing_else():
    class Double(Operation):
        """Twice x."""

        name = "double"

        def module(self, nn, shape):
            return nn.Hardtanh()

    try:
        recipe = small(network=["double", *small().network])
        assert cards.recipe_content(recipe)["network"][0] == "double"
        assert isinstance(build(recipe, 0)[0], nn.Hardtanh)
    finally:
        del Double.name  # so that it is no word for other tests
    assert "double" not in words_of(Operation)


PROGRAM = """
import math, pathlib, pytest, torch
from torch import nn
from ladder import cards
from ladder.cards import operations
from ladder.training.fingerprint import fingerprint

exec({operation!r}, vars(operations))
Mish = operations.Mish
exec({test!r})
test_mish_is_its_papers_formula()
pathlib.Path("rungs/cards/sprint_mish.yaml").write_text({card!r})
recipe = cards.resolve("sprint_mish")
assert [layer.name for layer in recipe.network].count("mish") == 3
print(fingerprint(recipe))
"""


def test_the_operation_that_the_docs_add_works_as_they_say(tmp_path):
    """In a process of its own: the word would be known to all tests behind this one."""
    text = (REPOSITORY / "docs/add_an_operation.md").read_text(encoding="utf-8")
    operation, test, card = re.findall(r"```(?:python|yaml)\n(.+?)```", text, re.DOTALL)
    shutil.copytree(REPOSITORY / "rungs/cards", tmp_path / "rungs/cards")
    program = PROGRAM.format(operation=operation, test=test, card=card)
    environment = os.environ | {"PYTHONPATH": str(REPOSITORY)}
    command = [sys.executable, "-c", program]
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")
    assert re.fullmatch(r"[0-9a-f]{16,}\n", done.stdout)
