"""Robustness: which images it measures, and that the whole of it runs."""

import re
import shutil

import numpy as np
import pytest
import torch
import yaml
from PIL import Image
from projects import REPOSITORY, run_module

from ladder.cards import resolve
from ladder.data.data_set import read_data_set
from ladder.data.synthetic import synthetic_digits
from ladder.data.tensors import write_tensors
from ladder.evaluation.moved import ALL_IMAGES, MOVED, views
from ladder.network.build import build
from ladder.training import run
from stages.robustness import RUNGS, page

pytestmark = pytest.mark.slow

MISLABELLED = read_data_set("mnist", REPOSITORY / "datasets").mislabelled
WELL_LABELLED = "without the 15 mislabelled"
CARD = {"title": "Quick", "goal": "none", "extends": "session7_steplr", "recipe": {"epochs": 1}}


@pytest.fixture(scope="module")
def test_set():
    return synthetic_digits(10_000)


def test_the_mislabelled_are_left_out(test_set):
    images, labels, *_ = test_set
    found = views(images, labels, MISLABELLED)
    assert found[ALL_IMAGES] == (images, labels)
    assert (found[WELL_LABELLED][0].numpy() == np.delete(images.numpy(), MISLABELLED, axis=0)).all()
    assert (found[WELL_LABELLED][1].numpy() == np.delete(labels.numpy(), MISLABELLED)).all()
    assert len(found[WELL_LABELLED][1]) == 9985


def test_every_image_moves_by_its_own_draw_of_up_to_two_pixels(test_set):
    images, labels = test_set[0][:500].numpy()[:, 0], test_set[1][:500]
    found = views(test_set[0], test_set[1])["shifted by up to 2 pixels"][0][:500, 0].numpy()
    framed = np.pad(images, ((0, 0), (2, 2), (2, 2)))
    fits = [(found == framed[:, y : y + 28, x : x + 28]).all((1, 2)) for y in range(5) for x in range(5)]
    assert np.any(fits, axis=0).all()
    assert all(np.any(fits, axis=1))
    assert len(labels) == 500


def test_every_image_turns_by_its_own_draw_of_up_to_ten_degrees(test_set):
    """Pillow turned each image by every whole degree; the nearest of them is in ±10, and both ends come up."""
    images = test_set[0][:40, 0].numpy()
    found = views(*test_set[:2])["turned by up to 10°"][0][:40, 0].numpy()
    degrees = np.arange(-20, 21)
    nearest = []
    for image, turned in zip(images, found, strict=True):
        candidates = [np.asarray(Image.fromarray(image).rotate(d, Image.Resampling.BILINEAR), float) for d in degrees]
        nearest.append(degrees[np.argmin([np.abs(candidate - turned).sum() for candidate in candidates])])
    assert min(nearest) in range(-10, -5)
    assert max(nearest) in range(6, 11)


def test_all_rungs_see_the_same_images(test_set):
    first, again = views(*test_set[:2]), views(*test_set[:2])
    assert all(torch.equal(first[column][0], again[column][0]) for column in MOVED)


def test_the_page_has_means_and_deviations():
    found = {"net9": [{"a": 99.40, "b": 90.0}, {"a": 99.46, "b": 90.5}], "one": [{"a": 98.0, "b": 97.0}]}
    assert page(found).splitlines()[-4:] == [
        "| rung (seeds) | a | b |",
        "|---|--:|--:|",
        "| net9 (2) | 99.43 ± 0.04 | 90.25 ± 0.35 |",
        "| one (1) | 98.00 | 97.00 |",
    ]


@pytest.mark.slow
def test_the_command_measures_the_runs_last_weights(test_set, tmp_path):
    for name in ("datasets", "rungs/cards"):
        shutil.copytree(REPOSITORY / name, tmp_path / name)
    for rung in RUNGS:
        (tmp_path / f"rungs/cards/{rung}.yaml").write_text(yaml.safe_dump(CARD))
    (tmp_path / "rungs/params.yaml").write_text(yaml.safe_dump({"seeds": dict.fromkeys(RUNGS, 1)}))
    data = synthetic_digits(2000)
    for split, part in {"train": data, "test": test_set}.items():
        write_tensors(tmp_path / f"data/sets/mnist/processed/{split}.safetensors", part._asdict())
    assert run_module("stages.plan", tmp_path, RUNGS[0]).returncode == 0
    planned = (tmp_path / f"reports/rungs/{RUNGS[0]}/recipe.yaml").read_text()
    for rung in RUNGS[1:]:
        path = tmp_path / f"reports/rungs/{rung}/recipe.yaml"
        path.parent.mkdir()
        path.write_text(planned.replace(f"rung: {RUNGS[0]}\n", f"rung: {rung}\n"))
    done = run_module("stages.robustness", tmp_path)
    assert done.returncode == 0, done.stderr
    written = (tmp_path / "reports/robustness.md").read_text()
    assert written in done.stdout
    recipe = resolve(RUNGS[0], cards=tmp_path / "rungs/cards")
    model = build(recipe, 0)
    model.load_state_dict(run.run(recipe, data, 0)[-1].weights)
    images, labels, *_ = test_set
    right = model.eval()((images / 255 - recipe.input.mean) / recipe.input.std).argmax(1) == labels
    kept = np.delete(right.numpy(), MISLABELLED)
    expected = f"{100 * right.float().mean().item():.2f} | {100 * kept.mean():.2f} |"
    assert re.findall(r"\| (\w+) \(1\) \| ([\d.]+ \| [\d.]+ \|)", written) == [(rung, expected) for rung in RUNGS]
