"""A trained model in people's hands: published with its card, found again, and reading pictures."""

import hashlib
import json
import shutil

import numpy as np
import pytest
import torch
import yaml
from PIL import Image, ImageDraw
from projects import REPOSITORY, assert_one_clear_line, run_module
from safetensors import safe_open
from safetensors.torch import load_file, save_file

from ladder.cards import Recipe, resolve
from ladder.exceptions import LadderError
from ladder.models import weights
from ladder.models.doubts import doubts
from ladder.models.prepare import prepare
from ladder.models.weights import Model
from ladder.network.build import build

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def published(trained, tmp_path_factory):
    """Return a project whose rung `quick` is published, and what the command said."""
    folder = tmp_path_factory.mktemp("published") / "project"
    shutil.copytree(trained[0], folder)
    done = run_module("commands.publish", folder, "quick")
    assert done.returncode == 0, done.stderr
    return folder, done.stdout


def in_torch(path, images):
    """Return the class probabilities of published weights by plain torch: an oracle without lanes."""
    with safe_open(path, "pt") as file:
        recipe = Recipe.model_validate(json.loads(file.metadata()["about"])["recipe"])
    network = build(recipe, seed=0).eval()
    network.load_state_dict(load_file(path))
    x = (images.to(torch.float32) / 255 - recipe.input.mean) / recipe.input.std
    with torch.no_grad():
        for module in network:
            x = module(x)
    return x.softmax(1)


def test_a_published_model_says_what_it_is_worth(published):
    folder, said = published
    path = folder / "models/quick.safetensors"
    test = load_file(folder / "data/sets/mnist/processed/test.safetensors")
    misread = int((in_torch(path, test["images"]).argmax(1) != test["labels"]).sum())
    card = path.with_suffix(".md").read_text()
    assert f"{misread} of 500 test images misread" in said
    assert f"{100 - misread / 5:.2f} % of MNIST's 500 test images, {misread} misread" in card
    assert hashlib.sha256(path.read_bytes()).hexdigest() in card
    assert path.stat().st_size < 100_000


def test_the_lines_of_torch_in_the_docs_give_these_probabilities(published, monkeypatch):
    monkeypatch.chdir(published[0])
    text = (REPOSITORY / "docs/use_the_model.md").read_text()
    code = text.partition("```python\n")[2].partition("```")[0].replace("models/sprint", "models/quick")
    images = load_file("data/sets/mnist/processed/test.safetensors")["images"]
    blank = code.index("images = torch.zeros")
    found = {"images_given": images.to(torch.float32)}
    exec(f"{code[:blank]}images = images_given\n{code[code.index(chr(10), blank) + 1 :]}", found)
    torch.testing.assert_close(found["probabilities"], in_torch("models/quick.safetensors", images))


def test_a_model_registry_finds_the_default_model():
    """DVC reads it as an artifact, and what it names is an output of the training."""
    from dvc.repo import Repo

    found = Repo(REPOSITORY).artifacts.read()["dvc.yaml"]["default-model"]
    stages = yaml.safe_load((REPOSITORY / "dvc.yaml").read_text())["stages"]
    assert found.type == "model"
    assert found.path in stages["train"]["outs"]


def test_publishing_again_gives_the_same_bytes(published, tmp_path):
    shutil.copytree(published[0], tmp_path / "again")
    before = {path.name: path.read_bytes() for path in (tmp_path / "again/models").iterdir()}
    for path in (tmp_path / "again/models").iterdir():
        path.unlink()
    assert run_module("commands.publish", tmp_path / "again", "quick").returncode == 0
    assert {path.name: path.read_bytes() for path in (tmp_path / "again/models").iterdir()} == before


def test_a_picture_is_read_as_plain_torch_reads_its_image(published, digits):
    """Dark on light and three times as large, so that preparing it must give back MNIST's own pixels."""
    folder = published[0]
    images = digits[0][:3]
    for number, image in enumerate(images):
        large = 255 - image[0].numpy().repeat(3, 0).repeat(3, 1)
        Image.fromarray(large).save(folder / f"{number}.png")
    names = [f"{number}.png" for number in range(3)]
    done = run_module("commands.predict", folder, "--model", "quick", "--json", *names)
    assert done.returncode == 0, done.stderr
    facts = json.loads(done.stdout)
    assert (facts["model"], facts["seed"]) == ("quick", 0)
    expected = in_torch(folder / "models/quick.safetensors", images)
    found = torch.tensor([fact["probabilities"] for fact in facts["images"]])
    torch.testing.assert_close(found, expected, atol=0.02, rtol=0)  # the last bit of a pixel may differ
    assert [fact["class"] for fact in facts["images"]] == found.argmax(1).tolist()
    assert [fact["image"] for fact in facts["images"]] == names
    plain = run_module("commands.predict", folder, "--model", "quick", *names).stdout.splitlines()
    assert plain[0] == "model: quick, seed 0"
    top = facts["images"][0]
    assert top["doubts"] in ([], ["the network is not sure"])  # it has seen 2,000 digits twice
    assert plain[1] == f"0.png: {top['class']} ({100 * max(top['probabilities']):.1f} %)"
    assert plain[3].startswith("  dark on light; the digit, ")
    assert len(plain) == 10 + sum(bool(fact["doubts"]) for fact in facts["images"])


def drawn(*draw):
    """Return a black-and-white picture prepared as `predict` prepares it; draw: (what ImageDraw draws, its box)."""
    picture = Image.new("RGBA", (200, 200), "white")
    for shape, place in draw:
        getattr(ImageDraw.Draw(picture), shape)(place, fill="black", **({"width": 9} if shape == "line" else {}))
    return prepare(np.asarray(picture)).image


ONE = ("line", (100, 20, 90, 180))
NO_DIGITS = {
    "a line": ([("line", (20, 100, 180, 100))], ["times as wide", "hardly more than a line"]),
    "a square": ([("rectangle", (50, 50, 150, 150))], ["a filled area"]),
    "two ones": ([ONE, ("line", (150, 20, 140, 180))], ["2 parts, the largest 5"]),
    "dots": ([("ellipse", (x, y, x + 15, y + 15)) for x in range(20, 180, 40) for y in (30, 90, 150)], ["12 parts"]),
}


@pytest.mark.parametrize("name", NO_DIGITS)
def test_a_picture_that_is_no_digit_is_doubted_however_sure_the_network_is(name):
    draw, said = NO_DIGITS[name]
    found = doubts(drawn(*draw), 1.0)
    assert len(found) == len(said)
    assert all(part in doubt for part, doubt in zip(said, found, strict=True))


def test_a_digit_is_doubted_where_the_network_is_not_sure():
    assert doubts(drawn(ONE, ("line", (100, 20, 60, 60))), 0.5) == []
    assert doubts(drawn(ONE, ("line", (100, 20, 60, 60))), 0.49) == ["the network is not sure"]


def test_digits_are_rarely_doubted_for_their_shape(digits):
    images = digits[0][:10_000, 0].numpy()
    assert sum(bool(doubts(image, 1.0)) for image in images) < 50


def test_a_chart_gets_a_warning(published):
    shutil.copy(REPOSITORY / "reports/errors.png", published[0] / "chart.png")
    done = run_module("commands.predict", published[0], "--model", "quick", "chart.png")
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1].startswith("  warning: this may be no single digit, or misread: it falls into ")


def test_the_default_model_is_the_one_just_trained(published, tmp_path):
    """Seed 0 after its last epoch, by the plan in reports/."""
    folder = tmp_path / "project"
    shutil.copytree(published[0], folder)
    shutil.copy(folder / "reports/rungs/quick/recipe.yaml", folder / "reports/recipe.yaml")
    (folder / "data/models/seed-0").mkdir(parents=True)
    Image.fromarray(np.eye(28, dtype=np.uint8) * 255).save(folder / "line.png")
    lacking = run_module("commands.predict", folder, "line.png")
    assert_one_clear_line(lacking, "there is no data/models/seed-0/epoch-002.safetensors", "make repro", "quick")
    shutil.copy(folder / "models/quick.safetensors", folder / "data/models/seed-0/epoch-002.safetensors")
    published_one = run_module("commands.predict", folder, "--model", "quick", "line.png")
    (folder / "models/quick.safetensors").unlink()
    default = run_module("commands.predict", folder, "line.png")
    assert default.returncode == 0, default.stderr
    assert default.stdout == published_one.stdout


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--model", "quack", "a.png"], "there is no models/quack.safetensors; published are: quick"),
        (["--model", "net9", "a.png"], "published are: quick; `python -m commands.publish net9` adds one"),
        (["--model", "quick", "none.png"], "none.png: No such file"),
        (["--model", "quick", "grey.png"], "grey.png: there is no digit to see"),
    ],
)
def test_what_cannot_be_read_is_told_in_one_line(published, arguments, said):
    Image.fromarray(np.eye(28, dtype=np.uint8) * 255).save(published[0] / "a.png")
    Image.new("L", (28, 28), 100).save(published[0] / "grey.png")
    assert_one_clear_line(run_module("commands.predict", published[0], *arguments), said)


def test_what_is_not_trained_is_not_published(published):
    done = run_module("commands.publish", published[0], "quick", "--seed", "7")
    assert_one_clear_line(done, "quick, seed 7, is not trained", "commands.train_ladder quick")
    assert_one_clear_line(run_module("commands.publish", published[0], "quack"), "there is no rung 'quack'")


def test_a_model_too_large_for_git_is_not_published(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    recipe = resolve("lenet5", cards=REPOSITORY / "rungs/cards")
    model = Model(recipe, 0, build(recipe, seed=0).state_dict())
    with pytest.raises(LadderError, match="published ones have less than 100,000"):
        weights.write_published(model)
    assert not list(tmp_path.iterdir())


def test_damaged_and_foreign_weights_are_refused_in_one_line(published, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    whole = (published[0] / "models/quick.safetensors").read_bytes()
    (tmp_path / "models").mkdir()
    path = tmp_path / "models/quick.safetensors"
    for content in (b"", whole[:2000], whole[:-4]):
        path.write_bytes(content)
        with pytest.raises(LadderError, match="damaged"):
            weights.find("quick")
    save_file({"a": torch.zeros(1)}, path)
    with pytest.raises(LadderError, match="damaged, or not from"):
        weights.find("quick")
    path.write_bytes(whole)
    other = Model(resolve("net9", cards=REPOSITORY / "rungs/cards"), 0, weights.find("quick").weights)
    with pytest.raises(LadderError, match="do not fit its recipe"):
        other.probabilities(torch.zeros(1, 1, 28, 28, dtype=torch.uint8))


def test_each_published_model_is_the_one_of_its_card(published):
    """In a project that has just published one, and in this repository: small, and with its hash in a card."""
    for folder in (published[0], REPOSITORY):
        for path in (folder / "models").glob("*.*"):
            model = path.with_suffix(".safetensors")
            assert model.stat().st_size < weights.LARGEST
            assert hashlib.sha256(model.read_bytes()).hexdigest() in path.with_suffix(".md").read_text()
