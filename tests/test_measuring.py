"""The hash of what is measured: it follows the numbers, and nothing else."""

import ast
import dataclasses
import re
from pathlib import Path

import numpy as np
import pytest
import torch
import yaml
from projects import REPOSITORY, run_module, small

from ladder.data.splits import Split
from ladder.data.synthetic import synthetic_digits
from ladder.evaluation import measure, measurement_hash, tables
from ladder.lanes import blocks
from ladder.network import inference
from ladder.network.build import build


@pytest.fixture(scope="module")
def found():
    """Return the hash as it is, of the repository's cards."""
    with pytest.MonkeyPatch.context() as here:
        here.chdir(REPOSITORY)
        return measurement_hash.measurement_hash()


def test_the_committed_hash_is_that_of_the_committed_code(tmp_path):
    """In a process of its own: every machine must find the same."""
    (tmp_path / "rungs").mkdir()
    (tmp_path / "rungs/cards").symlink_to(REPOSITORY / "rungs/cards")
    done = run_module("stages.measuring", tmp_path)
    assert done.returncode == 0, done.stderr
    text = (tmp_path / "reports/measuring.txt").read_text()
    assert re.fullmatch(r"[0-9a-f]{64}\n", text)
    assert text == (REPOSITORY / "reports/measuring.txt").read_text()


def eval_without_norm(run_block):
    """Return run_block without the normalisation of a network that is measured."""

    def changed(block, x, images, weight, bias, norm, *rest):
        return run_block(dataclasses.replace(block, norm=False), x, images, weight, bias, None, *rest)

    return changed


CHANGES = {
    "one accuracy": (measure, "accuracy", lambda of: lambda *given: of(*given) + 0.01),
    "a loss": (measure, "loss_of", lambda of: lambda *given: (None, of(*given)[1] * 1.001, None)),
    "a metric": (tables, "metrics", lambda of: lambda *given: of(*given) | {"held_epochs": 7}),
    "the history": (
        measurement_hash,
        "history_rows",
        lambda of: lambda epochs: [row | {"train_accuracy": 92.1} for row in of(epochs)],
    ),
    "a table": (tables, "errors_rows", lambda of: lambda *given: of(*given)[1:]),
    "what the network sees": (inference, "normalise", lambda of: lambda *given: of(*given) + 0.1),
    "normalisation in eval mode": (blocks, "run_block", eval_without_norm),
    "train and test swapped": (measure, "measure", lambda of: lambda r, w, train, test: of(r, w, test, train)),
}


@pytest.mark.parametrize("change", CHANGES)
def test_it_changes_with_what_is_measured(found, monkeypatch, change):
    monkeypatch.chdir(REPOSITORY)
    module, name, changed = CHANGES[change]
    monkeypatch.setattr(module, name, changed(getattr(module, name)))
    assert measurement_hash.measurement_hash() != found


def modules_behind(*names):
    """Return the files of ladder/ and stages/ that modules import, directly or not, as their source says it."""
    found, waiting = set(), list(names)
    while waiting:
        path = Path(waiting.pop().replace(".", "/") + ".py")
        if path in found or not path.is_file():
            continue
        found.add(path)
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.ImportFrom) and node.module.split(".")[0] in ("ladder", "stages"):
                waiting += [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]
    return {path.as_posix() for path in found}


def uncovered(paths, deps):
    """Return the paths that are no dependency of a stage and lie in no folder that is one."""
    return {path for path in paths if not any(path == dep or path.startswith(f"{dep}/") for dep in deps)}


GROUND = {"ladder/exceptions.py", "ladder/command.py", "ladder/names.py", "ladder/paths.py"}  # decide no number


def test_a_stage_depends_on_all_the_code_that_decides_its_results(monkeypatch):
    monkeypatch.chdir(REPOSITORY)
    stages = yaml.safe_load(Path("rungs/dvc.yaml").read_text())["stages"]
    main = yaml.safe_load(Path("dvc.yaml").read_text())["stages"]
    behind_training = modules_behind("stages.plan") - GROUND
    assert len(behind_training) > 15
    for plan in (main["plan"], stages["plan"]["do"]):
        assert not uncovered(behind_training, plan["deps"])
    behind_measuring = modules_behind("stages.measuring") - GROUND
    assert "ladder/evaluation/stats.py" in behind_measuring
    assert not uncovered(behind_measuring, stages["measuring"]["deps"])
    assert not uncovered(modules_behind("ladder.evaluation.measure") - GROUND, main["evaluate"]["deps"])
    assert not uncovered(modules_behind("stages.board") - GROUND, stages["board"]["deps"])


def test_the_stages_that_measure_depend_on_it():
    stages = yaml.safe_load((REPOSITORY / "rungs/dvc.yaml").read_text())["stages"]
    for dependent in (stages["climb"]["do"], stages["robustness"]):
        assert "reports/measuring.txt" in dependent["deps"]


def test_predictions_and_accuracy_are_of_the_same_outputs(monkeypatch):
    """Probabilities round where log-probabilities still differ: the larger output must win in both."""
    half = np.float32(np.log(0.5))
    outputs = torch.full((2, 10), -30.0)
    outputs[:, 3] = float(half)
    outputs[:, 7] = float(np.nextafter(half, np.float32(0)))
    assert outputs[0, 3].exp() == outputs[0, 7].exp()
    monkeypatch.setattr(measure, "infer", lambda *given: outputs)
    images = synthetic_digits(2).images
    data = Split(images, torch.tensor([7, 3], dtype=torch.uint8))
    recipe = small(network=["flatten", {"linear": {"out": 10}}, "log_softmax"], schedule="constant", holdout=0)
    weights = build(recipe, seed=0).state_dict()
    measured = measure.measure(recipe, [weights], data, data)
    assert measured.predictions.tolist() == [7, 7]
    assert measured.accuracy == [50.0]
    assert measured.confidences == pytest.approx([0.5, 0.5])
