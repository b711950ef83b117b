"""What several tests share: small recipes, projects with a few real digits, commands as a user runs them."""

import os
import shlex
import shutil
import subprocess
import sys
import time
from pathlib import Path

import yaml

from ladder import cards
from ladder.files import dump_yaml, write_text

REPOSITORY = Path(__file__).parent.parent


def run_module(module, folder, *arguments, mount=None, **environment):
    """Run `python -m module arguments` in `folder` with this repository's code. Return the finished process.

    mount: (path, options): first mount an empty file system there, for this process alone.
    """
    command = [sys.executable, "-m", module, *arguments]
    if mount:
        path, options = mount
        script = f"mount -t tmpfs -o {options} tmpfs {shlex.quote(str(path))} && exec {shlex.join(command)}"
        command = [*namespace(), "sh", "-c", script]
    variables = os.environ | {"PYTHONPATH": str(REPOSITORY)} | environment
    return subprocess.run(command, cwd=folder, env=variables, capture_output=True, text=True, timeout=300)


def assert_one_clear_line(done, *parts, before=()):
    """A finished process failed with one line of errors, which has all the `parts`, and without a traceback.

    before: what it had said on standard output.
    """
    assert done.returncode == 1
    assert "Traceback" not in done.stdout + done.stderr
    assert len(done.stderr.strip().splitlines()) == 1
    for part in parts:
        assert part in done.stderr
    for part in before:
        assert part in done.stdout


def namespace():
    """Return the command that gives another command mounts of its own, on this system."""
    for prefix in (["unshare", "-m"], ["unshare", "-Urm"], ["sudo", "-nE", "unshare", "-m"]):
        if subprocess.run([*prefix, "true"], capture_output=True).returncode == 0:
            return prefix
    raise RuntimeError("this system lets a user mount nothing, so what a full disk does cannot be tested here")


def workers_of(parent):
    """Return the ids of the worker processes that the process `parent` has started."""
    listed = ["ps", "-ww", "-o", "pid=,args=", "--ppid", str(parent)]
    lines = subprocess.run(listed, capture_output=True, text=True).stdout.splitlines()
    return [int(line.split()[0]) for line in lines if "spawn_main" in line]


def assert_nothing_is_left(group, seconds=20):
    """The whole process group ends within `seconds`."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        try:
            os.killpg(group, 0)
        except ProcessLookupError:
            return
        time.sleep(0.1)
    raise AssertionError("processes were left behind")


RUNG = "session7_rotate"  # the lightest with rotation, normalisation and dropout
TEST_IMAGES = 500
PLANNED = {}  # {parameters: recipe.yaml}


def make_project(folder, digits, **params):
    """Lay out a folder as the pipeline's stages expect it, with a few real digits as its data."""
    from safetensors.torch import save_file  # imports torch, which takes seconds

    images, labels, *_ = digits
    shutil.copytree(REPOSITORY / "rungs/cards", folder / "rungs/cards")
    shutil.copytree(REPOSITORY / "datasets", folder / "datasets")
    (folder / "data/sets/mnist/processed").mkdir(parents=True)
    splits = {"train": slice(0, 2000), "test": slice(-TEST_IMAGES, None)}
    for name, part in splits.items():
        tensors = {"images": images[part].contiguous(), "labels": labels[part].contiguous()}
        save_file(tensors, folder / f"data/sets/mnist/processed/{name}.safetensors")
    return set_params(folder, **params)


def make_planned(folder, digits, **params):
    """Lay out a project whose recipe is planned: by the stage itself, once for each set of parameters."""
    make_project(folder, digits, **params)
    key = repr(sorted(params.items()))
    if key not in PLANNED:
        run_stages(folder, "plan")
        PLANNED[key] = (folder / "reports/recipe.yaml").read_text()
    (folder / "reports").mkdir(exist_ok=True)
    (folder / "reports/recipe.yaml").write_text(PLANNED[key])
    return folder


QUICK = {"extends": RUNG, "title": "Quick", "goal": "Be quick.", "recipe": {"epochs": 2}}
LONGER = QUICK | {"title": "Longer", "recipe": {"epochs": 6, "holdout": 100}}


def make_ladder(folder, digits):
    """Lay out a project with a ladder of two rungs, planned: `quick` with two seeds, `longer` with one."""
    from ladder.training.fingerprint import fingerprint

    make_project(folder, digits, model="quick")
    (folder / "rungs/params.yaml").write_text("seeds: {quick: 2, longer: 1}\n")
    for rung, card in {"quick": QUICK, "longer": LONGER}.items():
        (folder / f"rungs/cards/{rung}.yaml").write_text(yaml.safe_dump(card))
        recipe = cards.resolve(rung, cards=folder / cards.CARDS)
        recipe = recipe.model_copy(update={"fingerprint": fingerprint(recipe)})
        write_text(folder / f"reports/rungs/{rung}/recipe.yaml", dump_yaml(cards.recipe_content(recipe)))
    return folder


def epoch_files(folder):
    """Return {file of an epoch in a project's store: (when it was written, its bytes)}."""
    return {str(path): (path.stat().st_mtime_ns, path.read_bytes()) for path in folder.glob(".runs/*/epoch-*")}


def stored(root):
    """Return {path below root: bytes} of a store, without its locks."""
    return {name: content for name, content in contents(root).items() if Path(name).name != "lock"}


def set_params(folder, **params):
    train = {"epochs": 2} | params.pop("train", {})
    content = {"model": RUNG, "seeds": 2, "train": train, "evaluate": {"target": 50.0}} | params
    (folder / "params.yaml").write_text(yaml.safe_dump(content))
    return folder


def run_stages(folder, *names, **environment):
    for name in names:
        done = run_module(f"stages.{name}", folder, **environment)
        assert done.returncode == 0, done.stderr + done.stdout
    return done


def contents(folder):
    return {str(p.relative_to(folder)): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}


SMALL = {
    "rung": "small",
    "network": [
        {"conv": {"out": 4, "kernel": 3}},
        "batch_norm",
        "relu",
        {"dropout": {"p": 0.1}},
        {"max_pool": {"kernel": 2}},
        {"conv": {"out": 10, "kernel": 3}},
        "global_avg_pool",
        "flatten",
        "log_softmax",
    ],
    "epochs": 3,
    "batch_size": 32,
    "loss": "nll",
    "optimizer": {"sgd": {"momentum": 0.9}},
    "learning_rate": 0.1,
    "schedule": {"plateau": {"factor": 0.1, "patience": 0}},
    "augment": [{"rotate": {"degrees": 7.0}}],
    "holdout": 20,
}


def small(**changes):
    return cards.Recipe.model_validate(SMALL | changes)


def as_bytes(epochs):
    return [
        (
            epoch.row,
            {name: tensor.numpy().tobytes() for name, tensor in epoch.weights.items()},
            {name: tensor.numpy().tobytes() for name, tensor in epoch.optimizer.items()},
        )
        for epoch in epochs
    ]
