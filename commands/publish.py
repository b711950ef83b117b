"""Put a trained rung's weights into models/, to be kept in Git, with a card that says what they are worth.

Usage:  python -m commands.publish <rung>              from random seed 0
        python -m commands.publish <rung> --seed 3
Reads:  reports/rungs/<rung>/recipe.yaml, rungs/cards/, data/sets/mnist/processed/, .runs/
Writes: models/<rung>.safetensors (the weights after the last epoch; its metadata is the recipe and the seed),
        models/<rung>.md

The seed is not chosen by its accuracy: the card could not say then how good the model is on new digits.
"""

import argparse
import hashlib
from typing import TYPE_CHECKING

from ladder import cards
from ladder.command import name, parser, run_stage, whole_number
from ladder.data.splits import read_split
from ladder.exceptions import LadderError
from ladder.files import write_text
from ladder.runs.plans import read_plan

if TYPE_CHECKING:
    from ladder.models.weights import Model


def arguments(given: list[str] | None = None) -> argparse.Namespace:
    """Return the command line's arguments. A wrong one ends the program with exit code 2."""
    reader = parser("commands.publish", __doc__)
    reader.add_argument("rung", type=name, help="a rung of the ladder that was trained")
    reader.add_argument("--seed", type=whole_number(0, 99), default=0, help="the random seed; 0 if not given")
    return reader.parse_args(given)


def trained_model(rung: str, seed: int) -> "Model":
    """Return the Model of a run in the store after its last epoch. Raises LadderError where it is not trained."""
    from ladder.models.weights import Model
    from ladder.runs import store

    recipe, train = read_plan(rung), read_split("train")
    epochs = store.load(store.folder_of(recipe, train, seed), recipe.epochs)
    if len(epochs) < recipe.epochs:
        raise LadderError(f"{rung}, seed {seed}, is not trained: `python -m commands.train_ladder {rung}` trains it")
    return Model(recipe, seed, epochs[-1].weights)


def main(given: list[str] | None = None) -> None:
    asked = arguments(given)
    title = " ".join(cards.read_card(asked.rung).title.split())
    model = trained_model(asked.rung, asked.seed)
    from ladder.models.model_card import model_card
    from ladder.models.weights import write_published

    test = read_split("test")
    read = model.probabilities(test.images).argmax(1)
    misread, images = int((read != test.labels).sum()), len(read)
    path = write_published(model)
    sha256 = hashlib.sha256(path.read_bytes()).hexdigest()
    write_text(path.with_suffix(".md"), model_card(model, title, misread, images, sha256))
    print(f"publish: {path}, {path.stat().st_size:,} bytes; {misread} of {images:,} test images misread")


if __name__ == "__main__":
    run_stage("publish", main)
