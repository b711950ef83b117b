"""plan, train and evaluate as commands on two thousand real digits, and what stops them."""

import io
import json
import os
import re
import shutil
import subprocess
import sys
import time

import pandas as pd
import pytest
import scipy.stats
import torch
import yaml
from PIL import Image
from projects import (
    REPOSITORY,
    RUNG,
    TEST_IMAGES,
    assert_nothing_is_left,
    assert_one_clear_line,
    contents,
    make_planned,
    make_project,
    run_module,
    run_stages,
    set_params,
)
from safetensors.torch import load_file

from ladder import cards, machine
from ladder.exceptions import LadderError
from ladder.network.build import build

pytestmark = pytest.mark.slow  # whole stages, in processes of their own


@pytest.fixture(scope="module")
def project(digits, tmp_path_factory):
    """Return a project whose stages have all run."""
    folder = make_planned(tmp_path_factory.mktemp("project"), digits)
    run_stages(folder, "train", "evaluate", DIGIT_LADDER_WORKERS="2")
    return folder


def test_one_worker_and_four_write_the_files_that_two_do(project, digits, tmp_path):
    for workers, stages in {"1": ["train", "evaluate"], "4": ["train"]}.items():
        folder = make_planned(tmp_path / workers, digits)
        run_stages(folder, *stages, DIGIT_LADDER_WORKERS=workers)
        assert contents(folder / "data/models") == contents(project / "data/models")
        for name, content in contents(folder / "reports").items():
            assert name == "timing.json" or content == (project / "reports" / name).read_bytes(), name


def test_metrics_are_what_the_models_do(project):
    """The oracle: load the last weights, predict by torch's own eval forward, count by hand."""
    found = json.loads((project / "reports/metrics.json").read_text())
    errors = pd.read_csv(project / "reports/errors.csv")
    confusion = pd.read_csv(project / "reports/confusion.csv")
    recipe = cards.read_recipe(project / "reports/recipe.yaml")
    test, train = (load_file(project / f"data/sets/mnist/processed/{split}.safetensors") for split in ("test", "train"))
    accuracies, on_train, misread = [], [], []
    for seed in range(2):
        model = build(recipe, seed=99)
        model.load_state_dict(load_file(project / f"data/models/seed-{seed}/epoch-002.safetensors"))
        model.eval()
        with torch.no_grad():
            outputs = model(((test["images"].float() / 255) - 0.1307) / 0.3081)
            trained = model(((train["images"].float() / 255) - 0.1307) / 0.3081)
        wrong = (outputs.argmax(1) != test["labels"]).nonzero().flatten()
        accuracies.append(100 - 100 * len(wrong) / TEST_IMAGES)
        on_train.append(100 * (trained.argmax(1) == train["labels"]).float().mean().item())
        for index in wrong.tolist():
            confidence = outputs[index].exp().max().item()
            misread.append((seed, index, int(test["labels"][index]), int(outputs[index].argmax()), confidence))
    assert found["accuracy"] == pytest.approx(sum(accuracies) / 2, abs=1e-4)
    assert found["errors"] == len(misread) / 2
    assert found["train_accuracy"] == pytest.approx(sum(on_train) / 2, abs=1e-3)
    assert found["gap"] == pytest.approx(found["train_accuracy"] - found["accuracy"], abs=2e-4)
    assert found["parameters"] == 7596
    interval = scipy.stats.t.interval(0.95, 1, loc=sum(accuracies) / 2, scale=scipy.stats.sem(accuracies))
    assert found["accuracy_low"] == pytest.approx(max(interval[0], 0), abs=1e-3)
    assert found["accuracy_high"] == pytest.approx(min(interval[1], 100), abs=1e-3)
    assert list(errors.itertuples(index=False, name=None)) == [
        (*row[:4], pytest.approx(row[4], abs=1e-4)) for row in misread
    ]
    assert confusion.images.sum() == pytest.approx(TEST_IMAGES)
    off_diagonal = confusion[confusion.label != confusion.prediction]
    assert off_diagonal.images.sum() == pytest.approx(found["errors"])


def test_curves_and_history_have_a_row_for_each_seed_and_epoch(project):
    found = json.loads((project / "reports/metrics.json").read_text())
    curves, history = (pd.read_csv(project / f"reports/{name}.csv") for name in ("curves", "history"))
    expected = [(seed, epoch) for seed in range(2) for epoch in (1, 2)]
    for table in (curves, history):
        assert list(zip(table.seed, table.epoch, strict=True)) == expected
    assert history.holdout_loss.isna().all()
    means = curves.groupby("epoch").accuracy.mean()
    at_target = [epoch for epoch in (1, 2) if means[epoch] >= 50]
    assert found["reached_epoch"] == (at_target[0] if at_target else None)
    assert found["held_epochs"] == (0 if 2 not in at_target else len(at_target))
    assert found["best_epoch_accuracy"] == pytest.approx(curves.groupby("seed").accuracy.max().mean(), abs=1e-4)


def test_pictures_open_and_are_not_blank(project):
    for name in ("curves", "confusion", "errors"):
        picture = Image.open(project / f"reports/{name}.png").convert("L")
        assert picture.width > 500
        assert len(set(picture.resize((100, 100)).tobytes())) > 20


def test_a_single_epoch_is_drawn_as_points():
    """A line through one point has no length: without a marker none of these colours is in the middle of the plot."""
    from ladder.evaluation import pictures
    from ladder.figure import TEST, TRAIN

    tables = [pd.read_csv(REPOSITORY / f"reports/{name}.csv") for name in ("history", "curves")]
    drawn = pictures.curves(*[table[table.epoch == 1] for table in tables], 99.4, "one epoch")
    picture = Image.open(io.BytesIO(drawn)).convert("RGB")
    middle = picture.crop((275, 40, 320, picture.height - 40))  # of the accuracies, left of the legend
    counts = {colour: count for count, colour in middle.getcolors(10**6)}
    for colour in (TEST, TRAIN):
        assert counts.get(tuple(bytes.fromhex(colour[1:])), 0) > 20


def test_every_plot_has_its_template_and_its_columns():
    """A column that is not there leaves a plot empty without a word."""
    stages = yaml.safe_load((REPOSITORY / "dvc.yaml").read_text())["stages"]
    plots = [next(iter(plot.items())) for stage in stages.values() for plot in stage.get("plots", [])]
    tables = {path: said for path, said in plots if path.endswith(".csv")}
    assert len(tables) == 4
    for path, said in tables.items():
        columns = set(pd.read_csv(REPOSITORY / path, nrows=1).columns)
        template = (REPOSITORY / f".dvc/plots/{said['template']}.json").read_text()
        json.loads(template)
        fields = set(re.findall(r"datum\['(\w+)'\]|\"field\": \"(\w+)\"", template))
        fields = {first or second for first, second in fields} - set(re.findall(r'"as": "(\w+)"', template)) - {"rev"}
        loss = {"loss", "train_loss"}  # one template for two tables: each has one of them
        assert fields - loss <= columns
        assert not fields & loss or loss & columns
        assert {said["x"], said["y"]} <= columns


def test_the_plots_are_of_any_classes():
    """Their axes end where the labels do; only a confidence has ends of its own. Labels are sorted as numbers."""
    for path in (REPOSITORY / ".dvc/plots").glob("*.json"):
        text = path.read_text()
        assert "digit" not in text
        assert re.findall(r'"(?:domain|values)": (\[.*?\])', text) == ["[0, 1]"] * (path.stem == "confidence")
    confusion = json.loads((REPOSITORY / ".dvc/plots/misread.json").read_text())["spec"]
    made = {of["as"]: of["calculate"] for of in confusion["transform"] if "as" in of}
    assert all(made[confusion["encoding"][axis]["field"]].startswith("toNumber(") for axis in "xy")
    assert "digit" not in (REPOSITORY / "dvc.yaml").read_text()


def test_training_never_opens_the_test_images(project, digits, tmp_path):
    folder = make_planned(tmp_path, digits)
    (folder / "data/sets/mnist/processed/test.safetensors").unlink()
    run_stages(folder, "train")
    assert contents(folder / "data/models") == contents(project / "data/models")


def test_training_again_trains_nothing(project):
    before = contents(project / ".runs")
    times = {path: path.stat().st_mtime_ns for path in (project / ".runs").rglob("epoch-*")}
    run_stages(project, "train")
    assert contents(project / ".runs") == before
    assert {path: path.stat().st_mtime_ns for path in (project / ".runs").rglob("epoch-*")} == times


def test_a_log_gets_one_plain_line_an_epoch(digits, tmp_path):
    folder = make_planned(tmp_path, digits)
    done = run_module("stages.train", folder)
    lines = [line for line in done.stdout.splitlines() if " epoch " in line]
    assert len(lines) == 4
    assert done.stderr == ""
    assert all(line.startswith(f"{RUNG} seed ") for line in lines)


def test_a_recipe_planned_with_other_bits_says_so_in_one_line(digits, tmp_path):
    folder = make_planned(tmp_path, digits, seeds=1, train={"epochs": 1})
    path = folder / "reports/recipe.yaml"
    path.write_text(path.read_text().replace("fingerprint: ", "fingerprint: 0"))
    done = run_module("stages.train", folder)
    assert done.returncode == 0
    assert sum("computes other bits than those planned" in line for line in done.stdout.splitlines()) == 1


def test_the_fingerprint_follows_the_bits(digits, tmp_path):
    folder = make_project(tmp_path, digits)

    def planned(**train):
        set_params(folder, train=train)
        run_stages(folder, "plan")
        return yaml.safe_load((folder / "reports/recipe.yaml").read_text())["fingerprint"]

    plan = planned()
    assert planned() == plan
    assert planned(epochs=1) != plan


def test_missing_data_is_one_line(digits, tmp_path):
    folder = make_planned(tmp_path, digits)
    (folder / "data/sets/mnist/processed/train.safetensors").write_bytes(b"no tensors")
    assert_one_clear_line(run_module("stages.train", folder), "train.safetensors", "make it again with `dvc repro`")


BAD_PARAMETERS = {
    "model: nte9": "there is no rung 'nte9' in rungs/cards/; did you mean 'net9'?",
    "seeds: 0": "seeds: 0 will not do: input should be greater than or equal to 1",
    "seeds: two": "seeds: 'two' will not do: input should be a valid integer",
    "train: {epochs: -1}": "train.epochs: -1 will not do: input should be greater than or equal to 1",
    "train: {epoch: 3}": "train: unknown key 'epoch'; did you mean 'epochs'?",
    "train: {learning_rate: fast}": "train.learning_rate: 'fast' will not do: input should be a valid number",
    "train: {learning_rate: .nan}": "train.learning_rate: nan will not do: input should be",
    "train: {device: gpu}": "train.device: 'gpu' will not do: input should be 'cpu' or 'cuda'",
    "evaluate: {target: 994}": "evaluate.target: 994 will not do: input should be less than or equal to 100",
    "sedes: 3": "unknown key 'sedes'; did you mean 'seeds'?",
}


@pytest.mark.parametrize("line", BAD_PARAMETERS)
def test_a_bad_parameter_stops_in_plan_with_one_line(line, tmp_path):
    for name in ("datasets", "rungs/cards"):
        shutil.copytree(REPOSITORY / name, tmp_path / name)
    content = {"model": "net9", "seeds": 2, "evaluate": {"target": 99.4}} | yaml.safe_load(line)
    (tmp_path / "params.yaml").write_text(yaml.safe_dump(content))
    assert_one_clear_line(run_module("stages.plan", tmp_path), BAD_PARAMETERS[line])
    assert not (tmp_path / "reports").exists()


TOO_LARGE = {
    "map": (
        {"out": 10**6, "kernel": 3, "padding": 1000},
        "wide, on trial with two batches: maps of (1000000, 2026, 2026) for 128 images are too large; take a smaller",
    ),
    "number": ({"out": 10**20, "kernel": 3}, "conv.out: 100000000000000000000 will not do: input should be less than"),
}


@pytest.mark.parametrize("size", TOO_LARGE)
def test_a_network_too_large_for_any_memory_stops_in_plan_with_one_line(size, tmp_path):
    conv, said = TOO_LARGE[size]
    card = {"extends": "net9", "title": "x", "goal": "x"}
    card["network"] = [{"conv": conv}, "global_avg_pool", "flatten", {"linear": {"out": 10}}, "log_softmax"]
    for name in ("datasets", "rungs/cards"):
        shutil.copytree(REPOSITORY / name, tmp_path / name)
    (tmp_path / "rungs/cards/wide.yaml").write_text(yaml.safe_dump(card))
    set_params(tmp_path, model="wide")
    assert_one_clear_line(run_module("stages.plan", tmp_path), said)


def test_a_bad_number_of_workers_is_one_line(digits, tmp_path, monkeypatch):
    said = "DIGIT_LADDER_WORKERS is {!r}; it must be a whole number, 1 or more"
    folder = make_planned(tmp_path, digits)
    assert_one_clear_line(run_module("stages.train", folder, DIGIT_LADDER_WORKERS="none"), said.format("none"))
    for workers in ("0", "-1", "1.5", " "):
        monkeypatch.setenv("DIGIT_LADDER_WORKERS", workers)
        with pytest.raises(LadderError) as raised:
            machine.workers()
        assert str(raised.value) == said.format(workers)


def start_training(folder):
    """Start a training in a process group of its own. Return it once an epoch is finished."""
    process = subprocess.Popen(
        [sys.executable, "-m", "stages.train"],
        cwd=folder,
        env=os.environ | {"PYTHONPATH": str(REPOSITORY), "DIGIT_LADDER_WORKERS": "2"},
        start_new_session=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    deadline = time.monotonic() + 120
    while not list(folder.glob(".runs/*/epoch-001*")):
        assert time.monotonic() < deadline, "no epoch was finished in two minutes"
        assert process.poll() is None, process.stderr.read()
        time.sleep(0.05)
    return process


def test_a_killed_training_continues_to_the_same_bytes(digits, tmp_path):
    folder = make_planned(tmp_path / "killed", digits, train={"epochs": 6})
    process = start_training(folder)
    process.kill()
    process.communicate()
    assert_nothing_is_left(process.pid)
    assert len(list(folder.glob(".runs/*/epoch-*"))) < 12
    kept = {path: path.stat().st_mtime_ns for path in folder.glob(".runs/*/epoch-*")}
    run_stages(folder, "train")
    assert {path: path.stat().st_mtime_ns for path in kept} == kept

    whole = make_planned(tmp_path / "whole", digits, train={"epochs": 6})
    run_stages(whole, "train")
    assert contents(folder / "data/models") == contents(whole / "data/models")


def test_prune_says_what_it_removed_and_refuses_what_is_no_number(project, tmp_path):
    shutil.copytree(project / ".runs", tmp_path / ".runs")
    done = subprocess.run(
        [sys.executable, "-m", "commands.prune", "0"],
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": str(REPOSITORY)},
        capture_output=True,
        text=True,
    )
    assert done.stdout.startswith("prune: removed 2 runs not used for 0 days")
    assert list((tmp_path / ".runs").iterdir()) == []
