"""Changes to a network: what a card can ask for, what it is refused, and how a change is told layer by layer."""

import re
import shutil
from pathlib import Path

import pytest
import yaml
from projects import REPOSITORY, small

from ladder import cards
from ladder.cards import model_page, vocabulary
from ladder.data.data_set import read_data_set
from ladder.exceptions import LadderError
from stages import plan

PARENT = """
title: Parent
goal: Be small.
network:
  - conv: {out: 4, kernel: 5}
  - relu
  - residual: [{conv: {out: 4, kernel: 1}}, relu]
  - relu
  - conv: {out: 10, kernel: 3}
  - global_avg_pool
  - flatten
  - log_softmax
recipe: {epochs: 1, batch_size: 32, loss: nll, optimizer: adam, learning_rate: 0.01}
"""
CONV = {"conv": {"out": 4, "kernel": 5}}
LAST = {"conv": {"out": 10, "kernel": 3}}
INSIDE = {"residual": [{"conv": {"out": 4, "kernel": 1}}, "relu"]}
TAIL = ["global_avg_pool", "flatten", "log_softmax"]


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """Stand in a folder whose rungs are those of the repository and `parent`."""
    shutil.copytree(REPOSITORY / cards.CARDS, tmp_path / cards.CARDS)
    (tmp_path / cards.CARDS / "parent.yaml").write_text(PARENT)
    monkeypatch.chdir(tmp_path)
    return tmp_path / cards.CARDS


def child(folder, network, extends="parent"):
    """Return the Recipe of a card that changes the parent's network."""
    content = {"extends": extends, "title": "Child", "goal": "Change.", "network": network}
    (folder / "child.yaml").write_text(yaml.safe_dump(content))
    return cards.resolve("child")


def network_of(recipe):
    return cards.recipe_content(recipe)["network"]


CHANGES = {
    "a word, also inside": (
        {"replace": {"relu": "gelu"}},
        [CONV, "gelu", {"residual": [{"conv": {"out": 4, "kernel": 1}}, "gelu"]}, "gelu", LAST, *TAIL],
    ),
    "one layer by its number": ({"replace": {4: "silu"}}, [CONV, "relu", INSIDE, "silu", LAST, *TAIL]),
    "a layer by several": (
        {"replace": {4: ["batch_norm", "silu"]}},
        [CONV, "relu", INSIDE, "batch_norm", "silu", LAST, *TAIL],
    ),
    "a layer inside a layer": (
        {"replace": {"3.2": "tanh"}},
        [CONV, "relu", {"residual": [{"conv": {"out": 4, "kernel": 1}}, "tanh"]}, "relu", LAST, *TAIL],
    ),
    "several changes, all by the parent's numbers": (
        {"remove": [2, 4], "insert_after": {1: "batch_norm", 5: {"dropout": {"p": 0.1}}}, "replace": {3: "tanh"}},
        [CONV, "batch_norm", "tanh", LAST, {"dropout": {"p": 0.1}}, *TAIL],
    ),
    "the front, and the front inside": (
        {"insert_after": {0: "tanh", "3.0": ["silu", "gelu"]}},
        ["tanh", CONV, "relu", {"residual": ["silu", "gelu", *INSIDE["residual"]]}, "relu", LAST, *TAIL],
    ),
    "behind every layer of a kind": (
        {"insert_after": {"conv": "batch_norm"}},
        [
            *(CONV, "batch_norm", "relu"),
            {"residual": [{"conv": {"out": 4, "kernel": 1}}, "batch_norm", "relu"]},
            *("relu", LAST, "batch_norm", *TAIL),
        ],
    ),
    "a whole kind gone": (
        {"remove": "relu"},
        [CONV, {"residual": [{"conv": {"out": 4, "kernel": 1}}]}, LAST, *TAIL],
    ),
    "behind a layer that is replaced": (
        {"replace": {2: "gelu"}, "insert_after": {2: "batch_norm"}},
        [CONV, "gelu", "batch_norm", INSIDE, "relu", LAST, *TAIL],
    ),
}


@pytest.mark.parametrize("change", CHANGES)
def test_a_card_changes_its_parents_network(change, folder):
    asked, expected = CHANGES[change]
    assert network_of(child(folder, asked)) == expected


def test_changes_of_changes_count_in_the_parents_network_and_the_recipe_is_whole(folder):
    child(folder, {"remove": [2]})
    (folder / "grandchild.yaml").write_text(
        "extends: child\ntitle: x\ngoal: y\nnetwork: {replace: {3: tanh}}\nrecipe: {epochs: 2}"
    )
    recipe = cards.resolve("grandchild")
    assert network_of(recipe) == [CONV, INSIDE, "tanh", LAST, *TAIL]
    assert cards.Recipe.model_validate(cards.recipe_content(recipe)) == recipe
    assert network_of(cards.resolve("parent"))[1] == "relu"


REFUSED = {
    "{}": "network: no changes; give one or several of replace, insert_after, remove",
    "{replace: {20: gelu}}": "network: there is no layer 20 to change; the parent's layers are 1 to 8",
    "{replace: {0: gelu}}": "network: there is no layer 0 to change",
    "{remove: ['3.3']}": "network: there is no layer 3.3 to change",
    "{remove: ['2.1']}": "network: there is no layer 2.1 to change",
    "{insert_after: {'2.0': gelu}}": "network: there is no layer 2.0 to change",
    "{replace: {tanh: gelu}}": (
        "network: the parent's network has no tanh; it has conv, relu, residual, global_avg_pool, flatten, log_softmax"
    ),
    "{replace: {rellu: gelu}}": "network: replace: 'rellu' is neither a layer's number nor an operation; did you mean",
    "{replace: {relu: gellu}}": "network: replace.relu: layer 1: unknown name 'gellu'; did you mean 'gelu'?",
    "{replace: {2: [gelu, {conv: {out: 3}}]}}": "network: replace.2: layer 2: conv.kernel: Field required",
    "{replace: {relu: relu}}": "network: nothing is changed",
    "{replace: {2: silu, relu: gelu}}": "layer 2, relu, is named by its number and by its word",
    "{replace: {2: silu}, remove: [relu]}": "layer 2, relu, is named by its number and by its word",
    "{replace: {2: silu}, remove: [2]}": "layer 2 is both replaced and removed",
    "{replace: {3.1: gelu}}": "3.1 is no layer's number; put the number of a layer within a layer in quotes, '3.1'",
    "{replace: {-1: gelu}}": "network: replace: -1 is neither a layer's number nor an operation",
    "{replace: {true: gelu}}": "network: replace: True is neither a layer's number nor an operation",
    "{replace: [relu, gelu]}": "network: replace: ['relu', 'gelu'] will not do: input should be a valid dictionary",
    "{remove: ['3.1', '3.2']}": "network: layer 3, residual, would have no layers left; remove it instead",
    "{replac: {relu: gelu}}": "network: unknown key 'replac'; did you mean 'replace'?",
    "{remove: log_softmax}": "loss nll needs a network that ends in log_softmax, not in flatten",
    "3": "network: 3 will not do: give a list of layers, or changes to the parent's network",
}


@pytest.mark.parametrize("network", REFUSED)
def test_a_change_that_cannot_be_made_is_one_line(network, folder):
    (folder / "child.yaml").write_text(f"extends: parent\ntitle: x\ngoal: y\nnetwork: {network}")
    with pytest.raises(LadderError) as raised:
        cards.resolve("child")
    assert REFUSED[network] in str(raised.value)
    assert str(raised.value).startswith("rungs/cards/child.yaml: ")
    assert "\n" not in str(raised.value)


def test_only_a_card_with_a_parent_can_change_a_network(folder):
    (folder / "parent.yaml").write_text(re.sub(r"network:\n(  .*\n)+", "network: {remove: [2]}\n", PARENT))
    with pytest.raises(LadderError, match=r"parent\.yaml: network: only a card that extends another can change its"):
        cards.resolve("parent")


def told(before, after):
    """Return what is told of two networks that end alike."""
    start = {"conv": {"out": 10, "kernel": 5}}
    return cards.network_changes(*(small(network=[start, *layers, *TAIL]) for layers in (before, after)))


TOLD = {
    "nothing": (["relu", "batch_norm"], ["relu", "batch_norm"], []),
    "a word": (["relu", "batch_norm"], ["gelu", "batch_norm"], ["layer 2: relu → gelu"]),
    "an argument": (
        [{"dropout": {"p": 0.1}}, "relu"],
        [{"dropout": {"p": 0.2}}, "relu"],
        ["layer 2: dropout p 0.1 → dropout p 0.2"],
    ),
    "one more, with parameters": (
        ["relu"],
        ["batch_norm", "relu"],
        ["layer 2 is new: batch_norm", "parameters: 250 → 270"],
    ),
    "one less, another changed": (
        ["tanh", "relu", "batch_norm", "relu"],
        ["relu", "batch_norm", "silu"],
        ["layer 2 is gone: tanh", "layer 4 (was 5): relu → silu"],
    ),
    "inside": (
        [{"residual": ["relu", "tanh"]}],
        [{"residual": ["relu", "silu"]}],
        ["layer 2.2: tanh → silu"],
    ),
    "into a layer": (
        ["relu", "tanh"],
        ["relu", {"residual": ["tanh"]}],
        ["layer 3 is gone: tanh", "layer 3 is new: residual", "layer 3.1 is new: tanh"],
    ),
    "another network": (
        ["relu"],
        [*["tanh", "silu"] * 6],
        ["another network: 5 layers → 16 layers"],
    ),
}


@pytest.mark.parametrize("case", TOLD)
def test_a_change_is_told_layer_by_layer(case):
    before, after, lines = TOLD[case]
    assert told(before, after) == lines


def test_what_a_card_for_colour_images_changes_is_told(folder):
    """MNIST, for which a card is resolved otherwise, has one channel."""
    colours = {"data": "rgb", "images": {"channels": 3, "side": 28, "classes": 10}}
    given = {"mean": [0.5, 0.4, 0.3], "std": [0.2, 0.2, 0.2]}
    (folder / "colour.yaml").write_text(
        yaml.safe_dump({"extends": "sprint", "title": "x", "goal": "y", "input": given})
    )
    data = colours | {"input": {"size": 28, "mean": [0.1] * 3, "std": [0.2] * 3}}
    text = model_page.model_report("colour", cards.resolve("colour", data=data), data)
    assert "- input: size 28, mean 0.1; 0.1; 0.1, std 0.2; 0.2; 0.2 → size 28, mean 0.5; 0.4; 0.3" in text


def test_the_page_of_another_data_set_says_what_it_is_trained_for_and_whose_goal_the_cards_is(folder):
    data_set = read_data_set("fashion_mnist", REPOSITORY / "datasets")
    recipe = cards.resolve("sprint", data=data_set.part_of_recipes)
    goal = yaml.safe_load((folder / "sprint.yaml").read_text())["goal"]
    for target, said in ((None, "The target is 91 % of the test images"), (92.5, "The target is 92.5 % of the")):
        task = plan.task_of(data_set, target)
        head, first, second, *_ = model_page.model_report("sprint", recipe, data_set.part_of_recipes, task).split(
            "\n\n"
        )
        assert head == "# fashion_mnist/sprint"
        assert first.startswith(f"Trained on Fashion-MNIST. {said}")
        assert second == f"Its card is for MNIST: 99.4 % in five epochs. The goal there: {goal}"
    assert plan.task_of(data_set.model_copy(update={"target": None}), None).endswith("No target is set.")


def test_mnists_page_is_the_committed_one(monkeypatch):
    monkeypatch.chdir(REPOSITORY)
    recipe = cards.read_recipe("reports/recipe.yaml")
    assert model_page.model_report(recipe.rung, recipe) == Path("reports/model.md").read_text()


def test_a_small_idea_is_a_card_of_four_lines_and_model_md_says_what_it_changes(folder):
    """The example of docs/vocabulary.md, as a newcomer would copy it."""
    gelu, changed = re.findall(r"```yaml\n(.*?)```", vocabulary.CHANGES, re.DOTALL)
    assert len(gelu.splitlines()) == 4
    (folder / "sprint_gelu.yaml").write_text(gelu)
    recipe = cards.resolve("sprint_gelu")
    text = model_page.model_report("sprint_gelu", recipe)
    assert text.endswith(
        "## Changed from sprint\n\n- layer 3: relu → gelu\n- layer 6: relu → gelu\n- layer 10: relu → gelu\n"
    )
    assert "| 3 | gelu | 12 × 12 × 12 | 6 |  |" in text

    (folder / "changed.yaml").write_text(f"extends: sprint\ntitle: x\ngoal: y\n{changed}")
    text = model_page.model_report("changed", cards.resolve("changed"))
    for line in (
        "| 7 | residual | 20 × 10 × 10 | 14 | 3640 |",
        "| 7.1 | &emsp;conv out 20 kernel 3 padding 1 | 20 × 10 × 10 | 14 | 3600 |",
        "| 7.3 | &emsp;relu | 20 × 10 × 10 | 14 |  |",
        "- layer 3: relu → silu",
        "- layer 8 is new: dropout p 0.05",
        "- layer 9 is gone: batch_norm",
        "- parameters: 7,834 → 11,436",
    ):
        assert line in text


def test_the_vocabulary_in_docs_is_that_of_the_classes():
    """Stale? python -m ladder.cards.vocabulary > docs/vocabulary.md"""
    text = Path(REPOSITORY / "docs/vocabulary.md").read_text()
    assert text == vocabulary.vocabulary()


def test_the_vocabulary_has_all_words_with_arguments_ranges_and_defaults():
    lines = vocabulary.vocabulary().splitlines()
    rows = {line.split("`")[1]: line for line in lines if line.startswith("| `")}
    assert rows["dropout"].startswith("| `dropout` | `p`: number ≥ 0.001, < 1 | Zero each element")
    assert "`padding` = 0: whole number ≥ 0, ≤ 1,000;" in rows["conv"]
    assert rows["holdout"].startswith(
        "| `holdout` | whole number ≥ 0, ≤ 30,000, a multiple of 10 | 0 | training images"
    )
    assert "| `best epoch` or `last epoch` | best epoch |" in rows["test_is"]
    meanings = [line for line in rows.values() if line.rstrip("| ").endswith(("`", "1", "0", "100"))]
    assert meanings == [], "each has a meaning"
    for name in ("gelu", "silu", "residual", "nll", "adam", "one_cycle", "affine", "title", "std", "label_smoothing"):
        assert name in rows
