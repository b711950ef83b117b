"""Words that exist in plain torch alone: they train at once, by torch's operators, and the recipe says whose bits."""

import copy
import shutil

import pytest
import torch
import yaml
from projects import REPOSITORY, RUNG, contents, make_project, run_module, run_stages, small
from torch import nn
from torch.nn import functional as F

from ladder import cards
from ladder.cards.losses import Loss
from ladder.cards.operations import Operation, Sequence
from ladder.cards.optimizers import Optimizer
from ladder.comparison.recipes import recipe_changes
from ladder.data.synthetic import synthetic_digits
from ladder.lanes.weights import start
from ladder.network.build import build
from ladder.network.losses import loss_of
from ladder.training.bits import reason_for_own_bits
from ladder.training.run import run


class Prelu(Operation):
    """The larger of x and 0, plus a learned share of the smaller of the two: arXiv:1502.01852."""

    def parameters(self, shape):
        return 1

    def module(self, nn, shape):
        return nn.PReLU()


class LayerNorm(Operation):
    """Normalise the features of each image: arXiv:1607.06450."""

    def parameters(self, shape):
        return 2 * shape[0]

    def module(self, nn, shape):
        return nn.LayerNorm(shape[0])


class Dense(Sequence):
    """Put the outputs of a sequence behind its inputs, as more channels: arXiv:1608.06993."""

    def out_shape(self, shape):
        after = shape
        for layer in self.layers:
            after = layer.out_shape(after)
        return shape[0] + after[0], *shape[1:]

    def combine(self, before, after):
        return torch.cat((before, after), 1)


class Squared(Loss):
    """Mean squared difference between outputs and one-hot labels."""

    def value(self, outputs, labels):
        return F.mse_loss(outputs, F.one_hot(labels, outputs.shape[1]).to(outputs.dtype))


class RmsProp(Optimizer):
    """torch.optim.RMSprop."""

    def make(self, parameters, rate):
        return torch.optim.RMSprop(parameters, rate)


NEW = {"prelu": Prelu, "layer_norm": LayerNorm, "dense": Dense, "squared": Squared, "rms_prop": RmsProp}


@pytest.fixture(autouse=True)
def new_words():
    """Make the classes above words of the language during a test."""
    for name, word in NEW.items():
        word.name = name
    yield
    for word in NEW.values():
        del word.name


CONV = {"conv": {"out": 10, "kernel": 5, "stride": 4}}  # 6 x 6 pixels
NETWORK = [CONV, "prelu", {"max_pool": {"kernel": 3}}, "flatten", "layer_norm", {"linear": {"out": 10}}, "log_softmax"]


@pytest.mark.parametrize("rung", cards.rung_names())
def test_the_bits_of_every_rung_are_the_same_on_every_machine(rung):
    assert reason_for_own_bits(cards.resolve(rung)) is None


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"network": NETWORK}, "prelu, layer_norm"),
        (
            {"network": [{"residual": ["prelu"]}, {"residual": [{"residual": ["prelu"]}]}, *NETWORK[2:]]},
            "prelu, layer_norm",
        ),
        ({"loss": "squared"}, "squared"),
        ({"optimizer": "rms_prop"}, "rms_prop"),
        ({"network": NETWORK, "loss": "squared", "optimizer": "rms_prop"}, "prelu, layer_norm, squared, rms_prop"),
    ],
)
def test_each_word_without_a_kernel_is_named_once(changes, words):
    assert reason_for_own_bits(small(**changes)) == f"torch computes {words}, for which there is no kernel"


def test_a_gpu_computes_by_torch():
    assert reason_for_own_bits(small(device="cuda")) == "torch computes on cuda"


def test_a_module_without_a_kernel_has_torchs_outputs_and_gradients():
    """The oracle: the same modules, run by torch one after another. On features a module sees [images, features]."""
    network = build(small(network=NETWORK), seed=0)
    theirs = copy.deepcopy(network)
    images = torch.randn(19, 1, 28, 28, generator=torch.Generator().manual_seed(0))  # two blocks, not full
    pairs = [(network(images), nn.Sequential.forward(theirs, images))]
    for outputs in pairs[0]:
        F.nll_loss(outputs, torch.arange(19) % 10).backward()
    pairs += [(ours.grad, others.grad) for ours, others in zip(network.parameters(), theirs.parameters(), strict=True)]
    for ours, others in pairs:
        torch.testing.assert_close(ours, others, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("flat", [False, True])
def test_a_sequence_may_change_the_shape(flat):
    inside = {"linear": {"out": 7}} if flat else {"conv": {"out": 7, "kernel": 3, "padding": 1}}
    before, behind = (["flatten"], []) if flat else ([], [{"max_pool": {"kernel": 2}}, "flatten"])
    recipe = small(network=[CONV, *before, {"dense": [inside]}, *behind, {"linear": {"out": 10}}, "log_softmax"])
    network = build(recipe, seed=0)
    images = torch.randn(19, 1, 28, 28, generator=torch.Generator().manual_seed(0))
    expected = images
    for module in network:
        expected = torch.cat((expected, module[0](expected)), 1) if hasattr(module, "combine") else module(expected)
    torch.testing.assert_close(network(images), expected, rtol=1e-5, atol=1e-6)


def test_weights_that_torch_would_draw_are_refused_and_a_constant_one_stays():
    prelu = nn.Sequential(nn.PReLU())
    start(prelu, seed=0)
    assert prelu[0].weight.tolist() == [0.25]  # as in the paper
    drawn = nn.Sequential(nn.PReLU(3))
    drawn[0].weight.data = torch.rand(3)
    with pytest.raises(TypeError, match="0: how do weight of a PReLU start"):
        start(drawn, seed=0)


def test_a_loss_without_a_kernel_is_the_one_that_its_word_says():
    outputs = torch.randn(19, 10, generator=torch.Generator().manual_seed(0)).requires_grad_()
    labels = torch.arange(19) % 10
    objective, loss, correct = loss_of(small(loss="squared"), outputs, labels)
    objective.backward()
    difference = outputs.detach() - torch.eye(10)[labels]
    assert loss == pytest.approx(float((difference**2).mean()))
    torch.testing.assert_close(outputs.grad, 2 * difference / 190)
    assert correct == sum(row.index(max(row)) == label for row, label in zip(outputs.tolist(), labels, strict=True))


def test_a_run_by_torch_alone_gives_the_same_bytes_again():
    recipe = small(network=NETWORK, loss="squared", optimizer="rms_prop", learning_rate=0.001)
    data = synthetic_digits(120)
    first, second = (run(recipe, data, seed=0) for _ in range(2))
    assert first[-1].row == second[-1].row
    for kept in ("weights", "optimizer"):
        one, other = (getattr(epochs[-1], kept) for epochs in (first, second))
        assert one.keys() == other.keys()
        assert all(torch.equal(one[name], other[name]) for name in one)
    assert not torch.equal(first[0].weights["2_prelu.weight"], first[-1].weights["2_prelu.weight"])


def test_compare_says_that_the_bits_became_one_machines():
    before, after = {"network": ["relu"]}, {"network": ["relu"], "bits": "this machine's"}
    assert recipe_changes(before, after) == ["bits: none → this machine's"]
    assert recipe_changes(after, after) == []


WORD = '''

class Prelu(Operation):
    """The larger of x and 0, plus a learned share of the smaller of the two: arXiv:1502.01852."""

    name: ClassVar = "prelu"

    def parameters(self, shape):
        return 1

    def module(self, nn, shape):
        return nn.PReLU()
'''


@pytest.mark.slow
def test_a_class_is_all_that_a_new_word_needs(digits, tmp_path):
    """As its author would try it: a class at the end of operations.py, a card that uses it, and the stages."""
    project = make_project(tmp_path / "project", digits, model="learned", seeds=1)
    for folder in ("ladder", "stages"):
        shutil.copytree(REPOSITORY / folder, project / folder, ignore=shutil.ignore_patterns("__pycache__"))
    with (project / "ladder/cards/operations.py").open("a") as operations:
        operations.write(WORD)
    card = {"extends": RUNG, "title": "Learned", "goal": "Learn.", "network": {"replace": {"relu": "prelu"}}}
    (project / "rungs/cards/learned.yaml").write_text(yaml.safe_dump(card))
    here = {"PYTHONPATH": str(project), "DIGIT_LADDER_LANES": str(REPOSITORY / ".lanes")}
    said = run_module("stages.plan", project, **here).stdout.splitlines()
    assert "plan: learned: the bits are this machine's: torch computes prelu, for which there is no kernel" in said
    recipe = yaml.safe_load((project / "reports/recipe.yaml").read_text())
    assert recipe["bits"] == "this machine's"
    assert "| bits | this machine's |" in (project / "reports/model.md").read_text()
    models = []
    for _ in range(2):
        run_stages(project, "train", **here)
        models.append(contents(project / "data/models"))
        shutil.rmtree(project / ".runs")
    assert models[0]
    assert models[0] == models[1]
