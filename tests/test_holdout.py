"""The images that a run holds out: whole writers, of exact size, about as many of each class."""

import shutil

import pytest
import torch
from projects import REPOSITORY

from ladder.data.data_set import read_data_set
from ladder.data.holdout import holdout_mask
from ladder.data.splits import Split
from ladder.data.synthetic import synthetic_digits
from ladder.data.writers import read_writers
from ladder.exceptions import LadderError

WRITERS = read_data_set("mnist", REPOSITORY / "datasets").groups


@pytest.fixture(scope="module")
def written(digits):
    """Return the real training images with their writers."""
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(REPOSITORY)
        return Split(digits.images, digits.labels, *read_writers(WRITERS, "train", 60_000))


@pytest.mark.parametrize("size", [1000, 5000, 10_000])
def test_no_writer_of_the_holdout_wrote_a_training_image(written, size):
    held = holdout_mask(written, size)
    assert held.sum() == size
    watched, trained = written.pick(held), written.pick(~held)
    assert not set(watched.groups.tolist()) & set(trained.groups.tolist())
    counts = watched.labels.bincount(minlength=10)
    assert ((counts - size / 10).abs() <= 0.12 * size / 10).all()
    assert torch.equal(held, holdout_mask(written, size))


def test_the_writers_are_those_that_qmnist_counts(written, monkeypatch):
    """539 and 297 people, and no one among both: arXiv:1905.10498."""
    monkeypatch.chdir(REPOSITORY)
    test, kinds = read_writers(WRITERS, "test", 10_000)
    assert len(written.groups.unique()) == 539
    assert len(test.unique()) == 297
    assert not set(test.tolist()) & set(written.groups.tolist())
    assert kinds.bincount(minlength=5).tolist() == [4999, 0, 0, 0, 5001]
    assert kinds[:5000].unique().tolist() == [4]  # the students' come first


def test_a_size_that_no_whole_groups_have_is_refused():
    data = synthetic_digits(300)
    whole = data._replace(groups=(torch.arange(300) // 20).to(torch.int32))
    assert holdout_mask(whole, 40).sum() == 40
    with pytest.raises(LadderError, match=r"holdout 50: no whole groups .* the nearest found have"):
        holdout_mask(whole, 50)
    one = data._replace(groups=torch.zeros(300, dtype=torch.int32))
    with pytest.raises(LadderError, match="holdout 20: no whole groups"):
        holdout_mask(one, 20)
    with pytest.raises(LadderError, match="holdout 300: no whole groups"):
        holdout_mask(data, 300)


@pytest.mark.parametrize("damage", ["missing", "cut off", "other"])
def test_a_table_of_writers_that_is_not_whole_is_one_clear_line(tmp_path, monkeypatch, damage):
    monkeypatch.chdir(tmp_path)
    shutil.copytree(REPOSITORY / "datasets", "datasets")
    path = tmp_path / "datasets/mnist_writers.csv.gz"
    if damage == "cut off":
        path.write_bytes(path.read_bytes()[:1000])
    elif damage == "missing":
        path.unlink()
    with pytest.raises(LadderError, match="restore it with `git checkout"):
        read_writers(WRITERS, "train", 59_999 if damage == "other" else 60_000)
