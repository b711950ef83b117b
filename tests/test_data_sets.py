"""Data sets as cards, and images that are not MNIST's: other sides, colours, numbers of classes, through the stages."""

import json
import re
import shutil
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest
import torch
import yaml
from PIL import Image
from projects import REPOSITORY, assert_one_clear_line, run_module, small
from safetensors.torch import load_file
from torch.nn import functional as F
from torchvision.transforms import InterpolationMode
from torchvision.transforms import functional as vision

from ladder import cards
from ladder.board import page
from ladder.board.side_by_side import beside
from ladder.cards.ladder_params import DataSets, read_all_seeds, read_data_sets
from ladder.cards.params import Params
from ladder.comparison.parsing import test_set_of as read_test_set
from ladder.data import idx
from ladder.data.data_set import IDX_FILES, data_set_names, read_data_set, with_article
from ladder.data.holdout import holdout_mask
from ladder.data.splits import Split
from ladder.data.synthetic import synthetic_digits
from ladder.data.tensors import write_tensors
from ladder.evaluation.tables import confusion_rows
from ladder.exceptions import LadderError
from ladder.files import dump_yaml
from ladder.lanes import resample
from ladder.network.build import build
from ladder.network.inference import infer, prepare, see
from ladder.network.losses import loss_of
from ladder.paths import facts_folder, rung_folder, rung_on
from ladder.runs import needs, store
from ladder.training.run import run
from stages import preprocess

CARDS = REPOSITORY / "datasets"
COLOUR = cards.Images(channels=3, side=20, classes=5)
SHA = "0" * 64


# --- cards ----------------------------------------------------------------------------------------------------------


def card(**changes):
    """Return a card's content: four made-up IDX files of grey images."""
    files = dict.fromkeys(IDX_FILES, SHA)
    content = {
        "title": "Shapes", "thing": "shape", "things": "shapes", "classes": ["circle", "square"], "side": 20,
        "mean": 0.5, "std": 0.25, "licence": "Nobody's.",
        "source": {"idx": {"files": files, "train": 10, "test": 5}},
    } | changes  # fmt: skip
    return {key: value for key, value in content.items() if value is not None}


def read(tmp_path, content, name="shapes"):
    (tmp_path / f"{name}.yaml").write_text(content if isinstance(content, str) else yaml.safe_dump(content))
    return read_data_set(name, tmp_path)


def test_the_committed_cards_are_whole():
    assert data_set_names(CARDS)[0] == "mnist"
    for name in data_set_names(CARDS):
        data_set = read_data_set(name, CARDS)
        assert (data_set.name, len(data_set.classes), data_set.side, data_set.channels) == (name, 10, 28, 1)
        assert [file.size for file in idx.files_of(data_set)] == [47040016, 60008, 7840016, 10008]


def test_reading_cards_needs_no_torch():
    lines = ("import sys", "from ladder.data.data_set import read_data_set", "read_data_set('mnist')")
    program = "; ".join([*lines, "print('torch' in sys.modules)"])
    done = subprocess.run([sys.executable, "-c", program], cwd=REPOSITORY, capture_output=True, text=True)
    assert (done.stdout, done.stderr) == ("False\n", "")


IDX, FOLDER = card()["source"]["idx"], {"path": "/some/where", "manifest": SHA}
BAD = {
    "no mapping": ("[]", "expected keys and values"),
    "a misspelt key": (card(sides=20), "unknown key 'sides'; did you mean 'side'?"),
    "no classes": (card(classes=[]), "classes: [] will not do"),
    "one class": (card(classes=["one"]), "classes: ['one'] will not do"),
    "1,001 classes": (card(classes=[f"c{number}" for number in range(1001)]), "at most 1000 items"),
    "a class twice": (card(classes=["a", "b", "a"]), "classes: 'a' is there twice"),
    "a class without a name": (card(classes=["a", " "]), "classes: item 2: it must be one line of text"),
    "a class of two lines": (card(classes=["a", "b\nc"]), "classes: item 2: it must be one line of text"),
    "a number for a class": (card(classes=["a", 7]), "classes: item 2: 7 will not do"),
    "two channels": (card(channels=2, mean=[0.5, 0.5], std=[0.2, 0.2]), "channels: 2 will not do"),
    "four channels": (card(channels=4), "channels: 4 will not do"),
    "side 97": (card(side=97), "side: 97 will not do"),
    "no side": (card(side=None), "side: Field required"),
    "two means": (card(mean=[0.5, 0.5]), "mean: give 1 of them, one a channel, not 2"),
    "a mean of 128": (card(mean=128), "mean: item 1: 128 will not do"),
    "no deviation": (card(std=0), "std: item 1: 0 will not do"),
    "a target of 994": (card(target=994), "target: 994 will not do"),
    "a name": (card(name="mnist"), "name: the file's name is the data set's; leave this key out"),
    "no source": (card(source=None), "source: Field required"),
    "two sources": (card(source={"idx": IDX, "folder": FOLDER}), "source: expected a name or one `name: {...}`"),
    "an unknown source": (card(source={"web": {}}), "source: unknown name 'web'"),
    "idx in colour": (card(channels=3, mean=[0.5] * 3, std=[0.2] * 3), "source: idx files hold grey images"),
    "three files": (card(source={"idx": IDX | {"files": {IDX_FILES[0]: SHA}}}), "files: give the SHA-256 of"),
    "a short hash": (card(source={"folder": FOLDER | {"manifest": "abc"}}), "folder.manifest: 'abc' will not do"),
    "http": (card(source={"idx": IDX | {"mirrors": ["http://x.org/"]}}), "an address of a folder, from https"),
    "a mirror's file": (card(source={"idx": IDX | {"mirrors": ["https://x.org/a"]}}), "from https:// to the last /"),
    "an option": (card(source={"idx": IDX | {"npm": {"name": "--x", "folder": "a"}}}), "npm.name: '--x' will not do"),
    "a command": (card(source={"idx": IDX | {"debian": {"name": "a;b", "folder": "a"}}}), "debian.name: 'a;b'"),
    "the folder above": (card(source={"idx": IDX | {"npm": {"name": "a", "folder": "../b"}}}), "a file within"),
    "a table above": (card(groups={"table": "../x.csv", "sha256": SHA}), "a folder or a file within"),
    "a table without a hash": (card(groups={"table": "x.csv"}), "groups: table and sha256 go together"),
    "an anchor": ("title: &x a\nthing: *x", "anchors and aliases"),
}  # fmt: skip


@pytest.mark.parametrize("case", BAD)
def test_a_bad_card_is_one_line(case, tmp_path):
    content, said = BAD[case]
    with pytest.raises(LadderError) as raised:
        read(tmp_path, content)
    line = str(raised.value)
    assert said in line
    assert line.startswith(f"{tmp_path}/shapes.yaml: ")
    assert len(line.splitlines()) == 1
    assert len(line) < len(str(tmp_path)) + 300


def test_a_card_that_is_no_plain_file_of_its_folder_is_refused(tmp_path):
    (tmp_path / "a").mkdir()
    (tmp_path / "a/link.yaml").symlink_to(CARDS / "mnist.yaml")
    (tmp_path / "a/folder.yaml").mkdir()
    for name, said in (("link", "must not be a link"), ("folder", "must be a plain file"), ("x/y", "not a valid name")):
        with pytest.raises(LadderError, match=said):
            read_data_set(name, tmp_path / "a")
    with pytest.raises(LadderError, match=r"there is no data set 'fashon' .* did you mean 'fashion_mnist'"):
        read_data_set("fashon", CARDS)
    with pytest.raises(LadderError, match="a data set cannot be called 'rungs'"):
        read(tmp_path, card(), "rungs")


def test_a_good_card_of_a_colour_folder(tmp_path):
    content = card(channels=3, mean=[0.1, 0.2, 0.3], std=[0.2] * 3, side=96, source={"folder": FOLDER})
    found = read(tmp_path, content)
    assert found.classes == ("circle", "square")
    assert found.target is None
    assert found.part_of_recipes == {
        "data": "shapes",
        "images": {"channels": 3, "side": 96, "classes": 2},
        "input": {"size": 96, "mean": [0.1, 0.2, 0.3], "std": [0.2, 0.2, 0.2]},
    }


def test_articles():
    names = ["8", "3", "11", "18", "80", "118", "ankle boot", "trouser", "T-shirt or top", "Axe"]
    assert [with_article(name).split()[0] for name in names] == ["an", "a", "an", "an", "an", "a", "an", "a", "a", "an"]


BAD_LADDERS = {
    "a folder of another": ({"data_sets": {"mnist": "reports", "x": "reports/y"}}, "goes to reports/x"),
    "no name": ({"data_sets": {"mnist": "reports", "a b": "reports/a b"}}, "'a b' is not a valid name"),
    "an unlisted data set": ({"elsewhere": {"x/net9": {"data": "x", "rung": "net9", "seeds": 1}}}, "has no 'x'"),
    "another name": ({"elsewhere": {"net9": {"data": "x", "rung": "net9", "seeds": 1}}}, "name is x/net9"),
    "the default one": ({"elsewhere": {"net9": {"data": "mnist", "rung": "net9", "seeds": 1}}}, "rungs/params.yaml"),
    "a command": ({"elsewhere": {"x/a;b": {"data": "x", "rung": "a;b", "seeds": 1}}}, "'a;b' is not a valid name"),
}  # fmt: skip


@pytest.mark.parametrize("case", BAD_LADDERS)
def test_a_bad_entry_of_the_ladder_is_one_line(case):
    content, said = BAD_LADDERS[case]
    with pytest.raises(LadderError, match=re.escape(said)) as raised:
        cards.validated(DataSets, {"data_sets": {"mnist": "reports"}} | content, "rungs/data_sets.yaml")
    assert len(str(raised.value).splitlines()) == 1


def test_params_without_the_new_keys_mean_mnist(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "rungs").mkdir()
    (tmp_path / "rungs/params.yaml").write_text("seeds: {net9: 1}")
    assert read_all_seeds() == {"net9": 1}
    assert read_data_sets().data_sets == {"mnist": "reports"}
    old = {"model": "net9", "seeds": 1, "evaluate": {"target": 99}}
    assert cards.validated(Params, old, "params.yaml").data == "mnist"


# --- recipes --------------------------------------------------------------------------------------------------------


def of_kind(images, **changes):
    """Return a small Recipe for images of that kind, its network for any side from 12 on."""
    mean = [0.4, 0.5, 0.6][: images.channels] if images.channels > 1 else 0.4
    std = [0.2, 0.25, 0.3][: images.channels] if images.channels > 1 else 0.2
    network = [
        {"conv": {"out": 8, "kernel": 3}}, "batch_norm", "relu", {"max_pool": {"kernel": 2}},
        {"conv": {"out": 12, "kernel": 3, "stride": 2}}, "batch_norm", "relu",
        "global_avg_pool", "flatten", {"linear": {"out": "classes"}}, "log_softmax",
    ]  # fmt: skip
    content = {
        "data": "made_up", "images": images.model_dump(), "network": network, "schedule": "constant", "holdout": 0,
        "input": {"size": images.side, "mean": mean, "std": std}, "augment": [],
    }  # fmt: skip
    return small(**(content | changes))


WITH_PLACES = [  # made-up images differ in where a bar is
    {"conv": {"out": 8, "kernel": 3}}, "batch_norm", "relu", {"max_pool": {"kernel": 2}},
    "flatten", {"linear": {"out": "classes"}}, "log_softmax",
]  # fmt: skip


def test_a_recipe_for_mnist_says_nothing_of_images_and_one_for_others_does():
    plain = cards.recipe_content(small())
    assert not {"data", "images"} & plain.keys()
    told = cards.recipe_content(of_kind(COLOUR))
    assert told["data"] == "made_up"
    assert told["images"] == {"channels": 3, "side": 20, "classes": 5}
    assert told["network"][-2] == {"linear": {"out": 5}}
    assert cards.validated(cards.Recipe, told, "x") == of_kind(COLOUR)


def test_classes_stand_for_a_number_in_changes_and_in_sequences(tmp_path):
    parent = {"title": "a", "goal": "a", "network": [
        "flatten", {"residual": [{"linear": {"out": 784}}]}, {"linear": {"out": 10}}, "log_softmax",
    ], "recipe": {"loss": "nll", "epochs": 1, "batch_size": 16, "optimizer": "adam", "learning_rate": 0.1}}  # fmt: skip
    child = {
        "extends": "parent",
        "title": "a",
        "goal": "a",
        "network": {"replace": {3: {"linear": {"out": "classes"}}}},
    }
    for name, content in {"parent": parent, "child": child}.items():
        (tmp_path / f"{name}.yaml").write_text(yaml.safe_dump(content))
    data = {"data": "x", "images": {"channels": 1, "side": 28, "classes": 7}, "input": {"size": 28}}
    assert cards.resolve("child", None, tmp_path, data).network[2].out == 7
    assert cards.resolve("child", None, tmp_path).network[2].out == 10
    with pytest.raises(LadderError, match=r"rung x/parent: the network ends in shape \(10,\); it must end in \(7,\)"):
        cards.layer_table(cards.resolve("parent", None, tmp_path, data))


def test_normalisation_of_other_channels_is_one_line():
    with pytest.raises(LadderError, match=r"input.mean has 2 numbers; the images have 3 channels"):
        cards.validated(cards.Recipe, cards.recipe_content(of_kind(COLOUR)) | {"input": {"mean": [0.1, 0.2]}}, "x")


def test_the_name_of_a_data_set_decides_no_bytes():
    data = synthetic_digits(30, COLOUR)
    first, second = (store.digest(of_kind(COLOUR, data=name), data, 0) for name in ("one", "another"))
    assert first == second
    other = COLOUR.model_copy(update={"classes": 6})
    assert store.digest(of_kind(other), synthetic_digits(30, other), 0) != first


def test_paths_are_functions_of_names():
    assert [rung_on(data, "net9") for data in ("mnist", "mine")] == ["net9", "mine/net9"]
    assert [rung_folder(name).as_posix() for name in ("net9", "mine/net9")] == [
        "reports/rungs/net9",
        "reports/mine/net9",
    ]
    assert [facts_folder(name).as_posix() for name in ("mnist", "mine")] == ["reports", "reports/mine"]


# --- the engine -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("images", [COLOUR, COLOUR.model_copy(update={"side": 96}), cards.Images(side=33, classes=300)])
def test_a_network_computes_what_plain_torch_does(images):
    """Outputs, loss and gradients against torch's own modules in float64."""
    recipe, data = of_kind(images), synthetic_digits(18, images)
    network = build(recipe, seed=1)
    plain = torch.nn.Sequential(*(type(module)(**_arguments(module)) for module in network)).double()
    plain.load_state_dict({f"{_place(network, key)}": value for key, value in network.state_dict().items()})
    labels = data.labels.to(torch.int64)
    objective, loss, _ = loss_of(recipe, see(network, prepare(data.images, recipe), recipe), labels)
    objective.backward()
    mean, std = (
        torch.tensor(recipe.input.model_dump()[key], dtype=torch.float64).view(-1, 1, 1) for key in ("mean", "std")
    )
    expected = F.nll_loss(plain((data.images.double() / 255 - mean) / std), labels)
    expected.backward()
    assert loss == pytest.approx(expected.item(), rel=1e-5)
    for ours, theirs in zip(network.parameters(), plain.parameters(), strict=True):
        torch.testing.assert_close(ours.grad.double(), theirs.grad, rtol=1e-3, atol=2e-5)


def _place(network, key):
    name, _, rest = key.partition(".")
    return f"{list(dict(network.named_children())).index(name)}.{rest}"


def _arguments(module):
    """Return the arguments that make a module of the same kind again."""
    names = {
        "Conv2d": ("in_channels", "out_channels", "kernel_size", "stride", "padding"),
        "BatchNorm2d": ("num_features",), "MaxPool2d": ("kernel_size", "stride"), "LogSoftmax": ("dim",),
        "Linear": ("in_features", "out_features"), "AdaptiveAvgPool2d": ("output_size",),
    }.get(type(module).__name__, ())  # fmt: skip
    given = {name: getattr(module, name) for name in names}
    return given | ({"bias": module.bias is not None} if "in_channels" in names else {})


def noise(side, count=6):
    """Return smooth colour images, uint8 [count, 3, side, side], whose channels differ."""
    generator = torch.Generator().manual_seed(side)
    coarse = torch.rand(count, 3, 5, 5, generator=generator) * 255
    return F.interpolate(coarse, size=side, mode="bilinear").to(torch.uint8)


def pillow(image):
    return Image.fromarray(np.moveaxis(image.numpy(), 0, -1))


@pytest.mark.parametrize("side", [20, 21, 96])
def test_colour_images_are_rotated_as_torchvision_rotates_pillows(side):
    images, angles = noise(side), torch.tensor([-170.0, -12.5, 0.0, 7.0, 45.0, 90.0], dtype=torch.float64)
    ours = resample.rotate(images, angles, 9)
    for image, angle, found in zip(images, angles.tolist(), ours, strict=True):
        expected = vision.rotate(pillow(image), angle, InterpolationMode.NEAREST, fill=[9, 9, 9])
        assert np.array_equal(np.moveaxis(found.numpy(), 0, -1), np.asarray(expected))


@pytest.mark.parametrize(("side", "crop"), [(20, 15), (21, 18), (96, 60)])
def test_colour_images_are_cropped_and_resized_as_torchvision_does_pillows(side, crop):
    images = noise(side)
    chosen = torch.arange(len(images)) % 2 == 0
    ours = resample.center_crop(images, chosen, crop)
    for image, changed, found in zip(images, chosen, ours, strict=True):
        cropped = vision.resize(vision.center_crop(pillow(image), [crop, crop]), [side, side])
        expected = cropped if changed else pillow(image)
        assert np.array_equal(np.moveaxis(found.numpy(), 0, -1), np.asarray(expected))


@pytest.mark.parametrize(("side", "size"), [(20, 28), (96, 28), (28, 96)])
def test_colour_images_are_resized_as_pillow_does(side, size):
    images = noise(side)
    expected = [np.asarray(pillow(image).resize((size, size), Image.Resampling.BILINEAR)) for image in images]
    assert np.array_equal(np.moveaxis(resample.resize(images, size).numpy(), 1, -1), np.stack(expected))


@pytest.mark.parametrize("side", [20, 96])
def test_colour_images_move_as_torchvision_moves_them(side):
    """Up to rounding, inside a black frame: torchvision has other pixels where an image ends."""
    images = F.pad(noise(side - 4), (2, 2, 2, 2))
    turns = torch.tensor([-20.0, 5.0, 0.0, 11.0, -7.0, 3.0], dtype=torch.float64)
    shifts = torch.tensor([[0.0, 1, -2, 0, 3, 1], [1.0, 0, 2, -3, 0, 0]], dtype=torch.float64)
    scales, shears = 1 + turns / 200, turns / 3
    ours = resample.affine(images, turns / 180, shifts, scales, shears / 180)
    for number, found in enumerate(ours):
        expected = vision.affine(
            images[number].double(), turns[number].item(), shifts[:, number].tolist(), scales[number].item(),
            [shears[number].item(), 0.0], InterpolationMode.BILINEAR, fill=[0.0],
        )  # fmt: skip
        assert (found.double() - expected).abs().mean() < 1
    shifted = resample.shift(images, shifts)
    for number, found in enumerate(shifted):
        rolled = torch.roll(images[number], tuple(int(of) for of in shifts[:, number].flip(0)), (1, 2))
        inside = slice(3, -3)
        assert torch.equal(found[:, inside, inside], rolled[:, inside, inside])


def test_a_run_in_colour_ends_with_the_same_bytes_and_learns():
    steps = [{"rotate": {"degrees": 3.0}}, {"affine": {"scale": 0.03}}, {"center_crop": {"size": 19, "p": 0.3}}]
    changes = {"augment": steps, "epochs": 6, "holdout": 20, "network": WITH_PLACES}
    recipe, data = of_kind(COLOUR, **changes), synthetic_digits(320, COLOUR)
    first, again = (run(recipe, data, 0)[-1] for _ in range(2))
    assert first.row == again.row
    assert all(torch.equal(first.weights[name], again.weights[name]) for name in first.weights)
    model = build(recipe, 0)
    model.load_state_dict(first.weights)
    unseen = synthetic_digits(400, COLOUR).pick(slice(320, None))
    right = infer(model, prepare(unseen.images, recipe), recipe).argmax(1) == unseen.labels
    assert right.float().mean() > 0.9


def test_a_holdout_takes_one_more_of_the_first_classes_where_they_do_not_divide_it():
    data = synthetic_digits(700, cards.Images(classes=7))._replace(groups=None)
    held = holdout_mask(data, 50)
    assert data.labels[held].bincount().tolist() == [8, 7, 7, 7, 7, 7, 7]
    with pytest.raises(
        LadderError, match="holdout 700 wants 100 of the 100 training images of class 0; take a smaller"
    ):
        holdout_mask(data, 700)


def test_confusion_of_many_classes_has_the_pairs_that_happened():
    """Labels of 8 and 16 bits, whose products with the number of classes they cannot hold."""
    for kind, classes in ((np.uint8, 200), (np.int16, 300)):
        labels = np.arange(classes).repeat(2).astype(kind)
        predictions = np.where(np.arange(2 * classes) % 4, labels, (labels.astype(np.int64) + 1) % classes)
        found = confusion_rows({0: type("Measured", (), {"predictions": predictions})}, labels, classes)
        expected = pd.DataFrame({"label": labels.astype(int), "prediction": predictions}).value_counts().sort_index()
        assert [(row["label"], row["prediction"], row["images"]) for row in found] == [
            (*pair, count) for pair, count in expected.items()
        ]


# --- what is told ---------------------------------------------------------------------------------------------------


def test_the_facts_on_colour_images(tmp_path):
    content = card(channels=3, mean=[0.1] * 3, std=[0.2] * 3, source={"folder": FOLDER}, groups={"are": "farms"})
    data_set, train, test = read(tmp_path, content), synthetic_digits(40, COLOUR), synthetic_digits(10, COLOUR)
    two = [Split(part.images, part.labels % 2, part.groups) for part in (train, test)]
    facts = preprocess.statistics(data_set, *two)
    pixels = train.images.numpy() / 255
    for key in ("mean", "std", "var", "min", "max"):
        expected = getattr(pixels, key)(axis=(0, 2, 3))
        assert facts["train_pixels"][key] == pytest.approx(expected.tolist(), abs=1e-6)
    assert facts["shape"] == [3, 20, 20]
    known = read_test_set(json.dumps(facts), preprocess.test_images_csv(two[1]))
    assert (known.images, known.classes, known.others) == (10, ("circle", "square"), "shapes of other farms")
    assert known.groups.tolist() == test.groups.tolist()
    assert known.kind is None


BAD_FACTS = {
    "no class": {"classes": []},
    "a class of a number": {"classes": [{"name": 1}, {"name": "b"}]},
    "a name of two lines": {"classes": [{"name": "a\nb"}, {"name": "b"}]},
    "things": {"things": ["a"]},
    "groups": {"groups": ""},
}


@pytest.mark.parametrize("case", BAD_FACTS)
def test_facts_that_make_no_sense_are_refused(case):
    with pytest.raises(ValueError, match=r"data\.json: "):
        read_test_set(json.dumps({"test_images": 10} | BAD_FACTS[case]), None)


def test_steps_on_two_data_sets_stand_side_by_side():
    def row(rung, change, verdict, against="a"):
        step = {"step_change": change, "step_low": change - 0.1, "step_high": change + 0.1, "step_verdict": verdict}
        step |= {"step_q": 0.03, "step_margin": 0.07}
        return step | {
            "rung": rung,
            "against": against,
            "parameters": 7,
            "accuracy": 99.0,
            "accuracy_sd": None,
            "seeds": 1,
        }

    here = [row("b", 0.5, "better"), row("c", 0.5, "better"), row("d", 0.01, "cannot tell yet")]
    here += [row("f", 0.5, "better"), row("g", -0.01, "as good")]
    there = [row("b", 0.4, "better"), row("c", -0.4, "worse"), row("d", -0.02, "as good"), row("e", 1, "better")]
    there += [row("f", 0.1, "cannot tell yet"), row("g", -0.3, "worse")]
    (section,) = beside(here, {"Mine": there})
    ends = {line.split(" ")[1]: line.split(" | ")[-1] for line in section.splitlines() if line.startswith("| ")}
    assert "| as good within ±0.07<br>-0.01 [-0.11, 0.09] | **worse**, q = 0.030<br>-0.30 [-0.40, -0.20] |" in section
    assert {rung: end.removesuffix(" |") for rung, end in ends.items() if rung in "bcdfg"} == {
        "b": "on both",
        "c": "**opposite**",
        "d": "on neither; signs differ",
        "f": "on MNIST only",
        "g": "on Mine only",
    }
    counts = "shown to be better or worse: 2 on both, 1 on MNIST only, 1 on Mine only"
    assert f"Of 5 steps known on both, {counts}. Better on one and worse on the other: c." in section
    assert "Not climbed on MNIST: e" in section


def test_what_takes_long_or_much_memory_is_told_before():
    data = synthetic_digits(10)
    assert list(needs.told([(of_kind(cards.Images()), 0)], data, 1)) == []
    network = [
        {"conv": {"out": 500, "kernel": 3}},
        "global_avg_pool",
        "flatten",
        {"linear": {"out": 10}},
        "log_softmax",
    ]
    wide = of_kind(cards.Images(), epochs=1000, batch_size=10_000, network=network)
    many = data._replace(labels=data.labels.repeat(6000))
    long, much = needs.told([(wide, 0)], many, 2)
    assert re.match(r"this takes about \d+ h \d\d min, 2 runs side by side$", long)
    maps = 784 + 500 * 26 * 26 + 500 + 500 + 10 + 10  # of an image: the input and what each layer gives
    assert f"this takes up to {(7840 + 2 * (0.7e9 + 4 * 3 * 10_000 * maps)) / 1e9:.1f} GB of memory for 2 runs" in much
    assert list(needs.told([(wide, 999)], many, 2)) == [much], "one epoch of a thousand is left"


# --- the stages -----------------------------------------------------------------------------------------------------

KINDS = {
    "colour, side 96": cards.Images(channels=3, side=96, classes=5),
    "300 classes": cards.Images(channels=1, side=20, classes=300),
}


def lay_out(folder, images, seeds=2):
    """Lay out a project whose params.yaml names a data set `made_up` of that kind, its images made up."""
    names = [f"class {number}" for number in range(images.classes)]
    mean, std = [0.2] * images.channels, [0.25] * images.channels
    content = card(
        classes=names,
        channels=images.channels,
        side=images.side,
        mean=mean,
        std=std,
        source={"folder": FOLDER},
        target=50,
    )
    shutil.copytree(REPOSITORY / "rungs", folder / "rungs")
    shutil.copytree(CARDS, folder / "datasets")
    (folder / "datasets/made_up.yaml").write_text(yaml.safe_dump(content))
    recipe = cards.recipe_content(of_kind(images, epochs=2))
    rung = {
        "title": "Small",
        "goal": "none",
        "network": [*recipe["network"][:-2], {"linear": {"out": "classes"}}, "log_softmax"],
    }
    rung["recipe"] = {key: recipe[key] for key in ("epochs", "batch_size", "loss", "optimizer", "learning_rate")}
    (folder / "rungs/cards/small.yaml").write_text(dump_yaml(rung))
    (folder / "rungs/cards/smaller.yaml").write_text(
        "{extends: small, title: a, goal: a, recipe: {augment: [{affine: {translate: 1, degrees: 5}}]}}"
    )
    listed = {"mnist": "reports", "made_up": "reports/made_up"}
    climbed = {f"made_up/{rung}": {"data": "made_up", "rung": rung, "seeds": seeds} for rung in ("small", "smaller")}
    (folder / "rungs/data_sets.yaml").write_text(yaml.safe_dump({"data_sets": listed, "elsewhere": climbed}))
    (folder / "params.yaml").write_text(f"data: made_up\nmodel: small\nseeds: {seeds}\n")
    data = synthetic_digits(max(600, 3 * images.classes), images)
    splits = {"train": data.pick(slice(None, -200)), "test": data.pick(slice(-200, None))}
    for name, part in splits.items():
        write_tensors(folder / f"data/sets/made_up/processed/{name}.safetensors", part._asdict())
    facts = preprocess.statistics(read_data_set("made_up", folder / "datasets"), splits["train"], splits["test"])
    (folder / "reports/made_up").mkdir(parents=True)
    (folder / "reports/made_up/data.json").write_text(json.dumps(facts))
    (folder / "reports/made_up/test_images.csv").write_text(preprocess.test_images_csv(splits["test"]))
    return splits["test"]


def called(folder, module, *arguments):
    done = run_module(module, folder, *arguments, DIGIT_LADDER_WORKERS="1")
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
def test_made_up_images_go_through_all_stages(kind, tmp_path):
    images = KINDS[kind]
    test = lay_out(tmp_path, images)
    for stage in ("plan", "train", "evaluate"):
        said = called(tmp_path, f"stages.{stage}")
    assert said.startswith("evaluate: made_up/small: ")
    recipe = cards.read_recipe(tmp_path / "reports/recipe.yaml")
    assert recipe.network[-2].out == images.classes
    errors = pd.read_csv(tmp_path / "reports/errors.csv")
    model = build(recipe, 0)
    for seed in range(2):
        model.load_state_dict(load_file(tmp_path / f"data/models/seed-{seed}/epoch-002.safetensors"))
        x = (test.images.float() / 255 - 0.2) / 0.25
        read_as = model.eval()(x).argmax(1)
        wrong = (read_as != test.labels).nonzero().flatten().tolist()
        of_seed = errors[errors.seed == seed]
        assert of_seed["index"].tolist() == wrong
        assert of_seed.prediction.tolist() == read_as[wrong].tolist()
    for name in ("curves", "confusion", "errors"):
        assert Image.open(tmp_path / f"reports/{name}.png").width > 500


@pytest.mark.slow
def test_rungs_on_made_up_images_are_climbed_compared_and_set_side_by_side(tmp_path, monkeypatch):
    lay_out(tmp_path, COLOUR)
    for rung in ("small", "smaller"):
        called(tmp_path, "stages.plan", rung, "--data", "made_up")
    both = ("made_up/small", "made_up/smaller")
    assert "train_ladder: 4 runs of 2 rungs" in called(tmp_path, "commands.train_ladder", *both)
    for rung in ("small", "smaller"):
        assert f"climb: made_up/{rung}: " in called(tmp_path, "stages.climb", rung, "--data", "made_up", "--seeds", "2")
    subprocess.run(["git", "init", "--quiet"], cwd=tmp_path, check=True)
    facts = json.loads(called(tmp_path, "commands.compare", *both, "--json"))
    (comparison,) = facts["comparisons"]
    assert (comparison["data"], comparison["classes"][4]) == ("made_up", "class 4")
    assert (comparison["writers_known"], comparison["other_images"]) == (True, "shapes of other groups")
    assert comparison["after"] == "made_up/smaller"
    monkeypatch.chdir(tmp_path)
    assert page.further_data() == ["made_up"]
    _, reports = page.read_ladder("made_up")
    assert sorted(reports) == ["small", "smaller"]
    assert page.behind(reports) == []
    assert page.read_ladder()[1] == {}


def test_a_rung_that_does_not_fit_is_one_line(tmp_path):
    lay_out(tmp_path, COLOUR)
    done = run_module("stages.plan", tmp_path, "net9", "--data", "made_up")
    assert_one_clear_line(done, "plan: rung made_up/net9: layer ", "does not fit on a map of")
    (tmp_path / "params.yaml").write_text("data: made-up\nmodel: small\nseeds: 1\n")
    said = ("there is no data set 'made-up'", "did you mean 'made_up'?")
    assert_one_clear_line(run_module("stages.plan", tmp_path), *said)
    (tmp_path / "rungs/data_sets.yaml").unlink()
    (tmp_path / "params.yaml").write_text("data: made_up\nmodel: small\nseeds: 1\n")
    said = "rungs/data_sets.yaml: data_sets has no 'made_up'; add `made_up: reports/made_up` to it"
    assert_one_clear_line(run_module("stages.plan", tmp_path), said)
