"""What stands in for the stages that take minutes: files of the right form, made up, in a second.

A clone's stages/<stage>.py calls `main("<stage>")`. The weights are those in the file $STAND_IN_WEIGHTS. A run misreads
the fewer images, the more epochs it has.
"""

import os
import shutil
import subprocess
import sys

import numpy as np
from made_up import of_seed
from safetensors.numpy import save_file

from ladder import cards
from ladder.cards.model_page import model_report
from ladder.evaluation.tables import CONFUSION, evaluation_of, history_csv, history_rows, write_results
from ladder.files import dump_csv, dump_yaml, write_text
from ladder.paths import REPORTS, RUNGS, facts_folder, model_path, processed_folder, raw_folder

IMAGES = 50  # in data/processed/
HOLDOUT = ("holdout_loss", "holdout_accuracy")  # columns of history.csv, empty here
PICTURES = ("curves", "confusion", "errors")


def download(data):
    raw_folder(data).mkdir(parents=True)
    (raw_folder(data) / "nothing").touch()


def preprocess(data):
    processed_folder(data).mkdir(parents=True)
    split = {"images": np.zeros((IMAGES, 1, 28, 28), dtype=np.uint8), "labels": np.zeros(IMAGES, dtype=np.uint8)}
    for name in ("train", "test"):
        save_file(split, processed_folder(data) / f"{name}.safetensors")
    for name in ("data.json", "samples.png", "test_images.csv"):  # DVC has removed them
        subprocess.run(["git", "restore", facts_folder(data) / name], check=True)


def plan(rung=None):
    """Resolve the card as the stage does, without the trial run that gives the fingerprint."""
    params = cards.read_params()
    recipe = cards.resolve(rung) if rung else cards.resolve(params.model, params.train)
    folder = RUNGS / rung if rung else REPORTS
    write_text(folder / "recipe.yaml", dump_yaml(cards.recipe_content(recipe)))
    if not rung:
        write_text(folder / "model.md", model_report(params.model, recipe))


def measuring():
    write_text(REPORTS / "measuring.txt", "made up\n")


def train():
    recipe, seeds = cards.read_recipe(REPORTS / "recipe.yaml"), cards.read_params().seeds
    for seed in range(seeds):
        path = model_path(seed, recipe.epochs)
        path.parent.mkdir(parents=True)
        shutil.copy(os.environ["STAND_IN_WEIGHTS"], path)
    (REPORTS / "history.csv").write_text(history_csv(history(recipe, seeds)))


def evaluate():
    write(REPORTS, cards.read_recipe(REPORTS / "recipe.yaml"), cards.read_params().seeds)
    (REPORTS / "confusion.csv").write_text(dump_csv(list(CONFUSION), []))
    for name in PICTURES:
        (REPORTS / f"{name}.png").write_text("made up")


def climb(rung, _, seeds):
    write(RUNGS / rung, cards.read_recipe(RUNGS / rung / "recipe.yaml"), int(seeds))


def write(folder, recipe, seeds):
    """Write the results of a rung, each image read as the next digit where it is misread."""
    labels = read_labels()
    counts = [60 + 20 // recipe.epochs + seed for seed in range(seeds)]
    measured = {seed: of_run(np.arange(len(labels)) < count, labels, recipe) for seed, count in enumerate(counts)}
    rows = history_rows(history(recipe, seeds))
    write_results(folder, evaluation_of(recipe, measured, rows, labels, 99.4))


def read_labels():
    """Return the labels that reports/test_images.csv gives the test images."""
    table = np.genfromtxt(REPORTS / "test_images.csv", delimiter=",", names=True, dtype=int)
    return table["label"]


def of_run(misread, labels, recipe):
    """Return what `measure` returns for a run, the same accuracy after each epoch."""
    found = of_seed(misread, labels, loss=0.02, first=0)
    found.accuracy, found.loss = found.accuracy[:1] * recipe.epochs, found.loss[:1] * recipe.epochs
    return found


def history(recipe, seeds):
    """Return {seed: rows of history.csv}."""
    row = {"learning_rate": 0.1, "train_loss": 0.1, "train_accuracy": 99.0} | dict.fromkeys(HOLDOUT)
    return {seed: [{"epoch": epoch + 1} | row for epoch in range(recipe.epochs)] for seed in range(seeds)}


STAGES = {of.__name__: of for of in (download, preprocess, plan, measuring, train, evaluate, climb)}


def main(stage):
    """Write what a stage writes, with the arguments of the command line."""
    STAGES[stage](*sys.argv[1:])
    print(f"{stage}: made up")
