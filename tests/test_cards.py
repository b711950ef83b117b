"""Cards against the sources' facts, and what a bad card or parameter says."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import torch
import yaml
from projects import REPOSITORY
from torch import nn

from ladder import cards, files
from ladder.cards import shapes
from ladder.exceptions import LadderError
from ladder.names import check_name
from ladder.network.build import build

FACTS = yaml.safe_load((Path(__file__).parent / "data" / "networks.yaml").read_text())
RECIPES = yaml.safe_load((Path(__file__).parent / "data" / "recipes.yaml").read_text())


def facts_of(rung):
    return FACTS["networks"][FACTS["rungs"][rung]]


def test_there_is_a_card_for_each_of_the_29_experiments_and_the_doubt():
    assert set(FACTS["rungs"]) <= set(cards.rung_names())
    sources = [cards.read_card(rung).source for rung in FACTS["rungs"]]
    assert len({(source.project, source.name) for source in sources if source}) == 29


@pytest.mark.parametrize("rung", FACTS["rungs"])
def test_network_has_the_sources_shapes_fields_and_parameters(rung):
    recipe, facts = cards.resolve(rung), facts_of(rung)
    table = [
        [row.layer.name, list(row.shape), row.receptive_field, row.parameters] for row in shapes.layer_table(recipe)
    ]
    assert table == facts["layers"]

    built = build(recipe, seed=0)
    seen = {}
    for name, module in built.named_children():  # <number>_<operation>
        number = int(name.split("_")[0])
        module.register_forward_hook(lambda module, args, output, n=number: seen.update({n: list(output.shape[1:])}))
    built.eval()
    with torch.no_grad():
        nn.Sequential.forward(built, torch.zeros(2, 1, recipe.input.size, recipe.input.size))
    assert seen == {number: shape for number, (_, shape, _, _) in enumerate(facts["layers"], start=1)}
    assert sum(parameter.numel() for parameter in built.parameters()) == facts["parameters"]


@pytest.mark.parametrize("rung", RECIPES)
def test_recipe_is_the_sources(rung):
    content = cards.recipe_content(cards.resolve(rung))
    expected = RECIPES[rung]
    assert {key: content[key] for key in expected} == expected


def test_reported_parameters_are_the_networks():
    """Where a source prints a count, its card's network has that count."""
    for rung in FACTS["rungs"]:
        reported = cards.read_card(rung).reported
        if reported and reported.parameters:
            assert reported.parameters == facts_of(rung)["parameters"], rung


@pytest.mark.parametrize("rung", cards.rung_names())
def test_a_written_recipe_reads_back_the_same(rung, tmp_path):
    recipe = cards.resolve(rung)
    files.write_text(tmp_path / "recipe.yaml", files.dump_yaml(cards.recipe_content(recipe)))
    assert cards.read_recipe(tmp_path / "recipe.yaml") == recipe


KEYS = [
    *("rung", "input", "network", "epochs", "batch_size", "loss", "optimizer", "learning_rate", "schedule"),
    *("augment", "holdout", "device", "fingerprint"),
]
NEW_WORDS = {
    "label_smoothing": 0.05,
    "optimizer": {"sgd": {"momentum": 0.9, "nesterov": True, "weight_decay": 0.0005}},
    "schedule": {"one_cycle": {"start": 0.1}},
    "augment": [{"affine": {"degrees": 10.0, "translate": 2, "scale": 0.1}}],
}


def test_a_recipe_says_what_it_does_and_nothing_of_what_it_does_without(tmp_path):
    """So that a key more in the vocabulary changes no recipe, nor the digest of a run, that was there before."""
    plain = cards.recipe_content(cards.resolve("net7"))
    assert list(plain) == KEYS
    content = plain | NEW_WORDS
    files.write_text(tmp_path / "recipe.yaml", files.dump_yaml(content))
    recipe = cards.read_recipe(tmp_path / "recipe.yaml")
    assert cards.recipe_content(recipe) == content
    off = content | {"label_smoothing": 0.0}
    assert set(plain) == set(cards.recipe_content(cards.Recipe.model_validate(off)))


def test_a_child_says_only_what_it_changes():
    net8, net7 = (cards.recipe_content(cards.resolve(rung)) for rung in ("net8", "net7"))
    assert {key for key in net8 if net8[key] != net7[key]} == {"rung", "augment"}


def test_rungs_are_listed_in_the_order_a_person_counts():
    names = cards.rung_names()
    assert names.index("net2") < names.index("net10")


def test_overrides_come_last_and_null_keeps_the_rungs_value():
    recipe = cards.resolve("net9", cards.TrainOverrides(epochs=3, learning_rate=1))
    assert (recipe.epochs, recipe.learning_rate, recipe.batch_size) == (3, 1.0, 128)


@pytest.fixture
def rungs(tmp_path):
    return Path(shutil.copytree(cards.CARDS, tmp_path / "rungs"))


BAD_CARDS = {
    "titel: x": "unknown key 'titel'; did you mean 'title'?",
    "title: x\ngoal: y\nextends: net77": "extends: there is no rung 'net77'; did you mean 'net7'?",
    "title: x\ngoal: y\nextends: bad": "extends: a circle, bad -> bad",
    "title: x\ngoal: y\nextends: net7\nagainst: net99": "against: there is no rung 'net99'; did you mean 'net9'?",
    "title: x\ngoal: y\nextends: net7\nrecipe: {epoch: 3}": "unknown key 'epoch'; did you mean 'epochs'?",
    "title: x\ngoal: y\nextends: net7\nrecipe: {epochs: -3}": "epochs: -3 will not do: input should be greater",
    "title: x\ngoal: y\nextends: net7\nrecipe: {epochs: '3'}": "epochs: '3' will not do: input should be a valid int",
    "title: x\ngoal: y\nextends: net7\nrecipe: {augment: [{rotat: {degrees: 7}}]}": (
        "augment: item 1: unknown name 'rotat'; did you mean 'rotate'?"
    ),
    "title: x\ngoal: y\nextends: net7\nrecipe: {augment: [{rotate: {degree: 7}}]}": (
        "augment: item 1: rotate: unknown key 'degree'; did you mean 'degrees'?"
    ),
    "title: x\ngoal: y\nextends: net7\nrecipe: {augment: [{rotate: {degrees: 270}}]}": (
        "augment: item 1: rotate.degrees: 270 will not do: input should be less than or equal to 180"
    ),
    "title: x\ngoal: y\nextends: net7\nrecipe: {schedule: {plateau: {factor: 0.1, patience: 1}}}": (
        "schedule plateau watches held-out training images, but holdout is 0"
    ),
    "title: x\ngoal: y\nextends: net7\nrecipe: {augment: [{center_crop: {size: 29, p: 0.1}}]}": (
        "center_crop size 29 is larger than the image, 28"
    ),
    "title: x\ngoal: y\nrecipe: {}\nrecipe: {}": "the key 'recipe' is there twice",
    "title: 2020-13-45": "not valid YAML: month must be in 1..12",
    "title: x\ngoal: y\nextends: net7\ninput: {mean: .nan}": "input.mean: nan will not do: input should be",
    "title: x\ngoal: y\nextends: net7\nrecipe: {batch_size: 100000000}": "less than or equal to 10000",
    "title: x\ngoal: y\nextends: net7\nrecipe: {loss: l1}": "loss l1 needs a network that ends in softmax",
    "title: x\ngoal: y\nextends: net7\nnetwork: [convv, log_softmax]": (
        "network: layer 1: unknown name 'convv'; did you mean 'conv'?"
    ),
    "title: x\ngoal: y\nextends: net7\nnetwork: [{conv: {out: 4}}, log_softmax]": (
        "network: layer 1: conv.kernel: Field required"
    ),
    "title: x\ngoal: y\nextends: net7\nrecipe: {optimizer: {sgd: {nesterov: true}}}": (
        "optimizer: sgd: nesterov needs a momentum"
    ),
    "title: x\ngoal: y\nextends: net7\nrecipe: {optimizer: {adam: {weight_decay: 0.1}}}": (
        "optimizer: adam: unknown key 'weight_decay'"
    ),
    "title: x\ngoal: y\nextends: net7\nrecipe: {schedule: {one_cycle: {warm_up: 1}}}": (
        "schedule: one_cycle.warm_up: 1 will not do: input should be less than 1"
    ),
    "title: x\ngoal: y\nextends: net7\nrecipe: {label_smoothing: 1}": (
        "label_smoothing: 1 will not do: input should be less than 1"
    ),
    "title: x\ngoal: y\nextends: lenet5_l1\nrecipe: {label_smoothing: 0.1}": (
        "label_smoothing is for the losses nll and cross_entropy, not for l1"
    ),
    "title: x\ngoal: y\nextends: net7\nrecipe: {augment: [affine]}": (
        "augment: item 1: affine: nothing to do; give degrees, translate, scale, shear or several of them"
    ),
    "title: x\ngoal: y\nextends: net7\nrecipe: {augment: [{affine: {translate: 1.5}}]}": (
        "augment: item 1: affine.translate: 1.5 will not do: input should be a valid integer"
    ),
    "title: x\ngoal: y\nextends: net7\nrecipe: {fingerprint: abc}": "'fingerprint' is no key of a card's recipe",
    "title: x\ngoal: y\nextends: net7\nrecipe: {optimizer: adamw}": (
        "optimizer: unknown name 'adamw'; did you mean 'adam'?"
    ),
    "title: x\ngoal: y\nextends: net7\nrecipe: {schedule: one_cycl}": (
        "schedule: unknown name 'one_cycl'; did you mean 'one_cycle'?"
    ),
    "title: x\ngoal: y\nextends: net7\nrecipe: {loss: mse}": (
        "loss: unknown name 'mse'; there are nll, cross_entropy, l1"
    ),
    "title: x\ngoal: y\nextends: net7\nrecipe: {loss: [nll]}": (
        "loss: expected a name or one `name: {...}`, not ['nll']"
    ),
    "title: x\ngoal: y\nextends: net7\nagainst: bad": "against: a rung cannot be judged against itself",
    "title: x\ngoal: y\nextends: ../net7": "extends: '../net7' is not a valid name; a name has up to 60 letters",
    "title: x\ngoal: y\nextends: net7\nagainst: '-h'": "against: '-h' is not a valid name",
    "title: x\ngoal: y\nextends: net7\ninput: {std: 1e-320}": (
        "input.std: 1e-320 will not do: input should be greater than or equal to 0.0001"
    ),
    "title: x\ngoal: y\nextends: net7\ninput: {mean: 1e308}": (
        "input.mean: 1e+308 will not do: input should be less than"
    ),
    "title: x\ngoal: y\nextends: net7\nnetwork: [relu, {residual: [tanh, {conv: {out: 4}}]}, log_softmax]": (
        "network: layer 2: residual: layer 2: conv.kernel: Field required"
    ),
    f"title: x\ngoal: y\nextends: net7\nnetwork: {'[' * 500}{']' * 500}": "nested more than 50 deep",
    f"title: x\ngoal: y\nextends: net7\nnetwork: [{'{residual: [' * 9}relu{']}' * 9}, log_softmax]": (
        "sequences are nested more than 8 deep"
    ),
    f"title: x\ngoal: y\nextends: net7\nrecipe: {{epochs: '{'x' * 5000}'}}": (
        "xxx… will not do: input should be a valid int"
    ),
    "title: [x": "not valid YAML",
    "just text": "expected keys and values",
}


@pytest.mark.parametrize("card", BAD_CARDS)
def test_a_bad_card_is_one_line_that_names_file_key_and_mend(card, rungs):
    (rungs / "bad.yaml").write_text(card)
    with pytest.raises(LadderError) as raised:
        cards.resolve("bad", cards=rungs)
    text = str(raised.value)
    assert "bad.yaml" in text
    assert BAD_CARDS[card] in text
    assert "\n" not in text
    assert len(text) < 400


def refused(rungs):
    """Return what resolving the card `bad` says, which is one line."""
    with pytest.raises(LadderError) as raised:
        cards.resolve("bad", cards=rungs)
    assert "\n" not in str(raised.value)
    return str(raised.value)


def test_a_card_that_is_a_named_pipe_is_refused_and_not_waited_for(rungs):
    os.mkfifo(rungs / "bad.yaml")
    assert refused(rungs) == f"{rungs}/bad.yaml: a card must be a plain file"


def test_a_card_that_is_a_folder_or_a_dead_link_is_refused(rungs):
    (rungs / "bad.yaml").mkdir()
    assert refused(rungs) == f"{rungs}/bad.yaml: a card must be a plain file"
    (rungs / "bad.yaml").rmdir()
    (rungs / "bad.yaml").symlink_to("nowhere.yaml")
    assert refused(rungs) == f"{rungs}/bad.yaml: a card must be a plain file"


def test_a_card_that_links_to_a_foreign_file_is_refused_and_its_content_not_shown(rungs, tmp_path):
    (tmp_path / "secret").write_text("password 123")
    (rungs / "bad.yaml").symlink_to(tmp_path / "secret")
    assert refused(rungs) == f"{rungs}/bad.yaml: a card must not be a link to a file outside its folder"


def test_a_card_may_link_to_another_and_the_folder_may_be_a_link(rungs, tmp_path):
    (rungs / "same.yaml").symlink_to("net7.yaml")
    (tmp_path / "linked").symlink_to(rungs)
    assert cards.resolve("same", cards=tmp_path / "linked").network == cards.resolve("net7").network


@pytest.mark.parametrize("name", ["-h", "a|b", "my card", "x;touch", "über", "a..b", "a\nb", "x" * 61])
def test_a_card_with_a_name_that_could_be_something_else_is_one_line(name, rungs):
    (rungs / f"{name}.yaml").write_text("extends: net7\ntitle: x\ngoal: y")
    with pytest.raises(LadderError, match=r"/: '.* is not a valid name; a name has up to 60 letters") as raised:
        cards.rung_names(rungs)
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize("name", ["net9", "0", "A-b_c.d", "x" * 60, "v1.2.3"])
def test_ordinary_names_are_valid(name):
    assert check_name(name, "rung") == name


@pytest.mark.parametrize("name", ["", ".", "..", "../net9", "a/b", "a.", ".a", "_a", "a\n", "a b", "é", "٣", 3, None])
def test_other_names_are_not(name):
    with pytest.raises(LadderError, match=r"^candidate: .* is not a valid name"):
        check_name(name, "candidate")


def test_hidden_files_of_an_editor_are_no_cards(rungs):
    (rungs / ".#net7.yaml").symlink_to("nobody@nowhere")
    assert cards.rung_names(rungs) == cards.rung_names()


def test_a_folder_without_cards_or_none_at_all_is_one_line(tmp_path):
    with pytest.raises(LadderError, match=r"there is no rung 'net9' in .*; there are none$"):
        cards.resolve("net9", cards=tmp_path)
    with pytest.raises(LadderError, match=r"start in the repository's top folder$"):
        cards.resolve("net9", cards=tmp_path / "nowhere")


def test_a_rung_in_params_has_a_valid_name(tmp_path):
    (tmp_path / "params.yaml").write_text("model: x; touch FILE\nseeds: 1\nevaluate: {target: 99}")
    with pytest.raises(LadderError, match=r"params\.yaml: model: 'x; touch FILE' is not a valid name"):
        cards.read_params(tmp_path / "params.yaml")


def test_the_language_needs_no_torch():
    """Torch reads its environment when it is imported, which `machine.configure` has to set before."""
    code = (
        "import sys; from ladder import cards; from ladder.cards import model_page, vocabulary; "
        "cards.layer_table(cards.resolve('part3')); vocabulary.vocabulary(); print('torch' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=REPOSITORY, capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"


def test_a_fault_is_told_of_the_file_that_has_it(rungs):
    (rungs / "net8.yaml").write_text("title: x\ngoal: y\nextends: net7\nrecipe: {epoch: 3}")
    with pytest.raises(LadderError, match=r"rungs/net8\.yaml: unknown key 'epoch'"):
        cards.resolve("net10", cards=rungs)
    with pytest.raises(LadderError, match=r"^params\.yaml: train, for rung net9: schedule plateau watches held-out"):
        cards.resolve("net9", cards.TrainOverrides(holdout=0))


BAD_NETWORKS = {
    "[{conv: {out: 10, kernel: 29}}, flatten, log_softmax]": (
        "layer 1, conv: its window of 29 does not fit on a map of 28"
    ),
    "[{linear: {out: 10}}, log_softmax]": "layer 1, linear: its input has shape (1, 28, 28); flatten it first",
    "[{conv: {out: 10, kernel: 28}}, log_softmax]": "layer 2, log_softmax: its input has shape (10, 1, 1)",
    "[flatten, {linear: {out: 9}}, log_softmax]": "the network ends in shape (9,); it must end in (10,)",
    "[flatten, batch_norm, {linear: {out: 10}}, log_softmax]": "layer 2, batch_norm: its input has shape (784,)",
    "[{conv: {out: 10, kernel: 3, groups: 3}}, flatten, log_softmax]": "layer 1, conv: groups 3 must divide 1 channels",
}


@pytest.mark.parametrize("layers", BAD_NETWORKS)
def test_layers_that_do_not_fit_are_named_by_rung_and_number(layers, rungs):
    (rungs / "bad.yaml").write_text(f"title: x\ngoal: y\nextends: net7\nnetwork: {layers}")
    with pytest.raises(LadderError) as raised:
        shapes.layer_table(cards.resolve("bad", cards=rungs))
    assert f"rung bad: {BAD_NETWORKS[layers]}" in str(raised.value)


def test_numbers_in_exponent_form_are_numbers(tmp_path):
    (tmp_path / "x.yaml").write_text("a: 1e-2\nb: 2.5E+3\nc: e5\n")
    assert files.read_yaml(tmp_path / "x.yaml") == {"a": 0.01, "b": 2500.0, "c": "e5"}
