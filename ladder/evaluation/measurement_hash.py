"""A hash of what evaluation computes for three untrained networks; when it changes, every rung is measured again.

It stays the same when code is only moved or renamed. Then no rung is measured again. For training, a
recipe's fingerprint does the same.
"""

import hashlib
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from ladder import cards
from ladder.data.splits import Split
from ladder.evaluation.moved import MOVED
from ladder.evaluation.tables import evaluation_of, history_rows, write_results
from ladder.files import write_text

if TYPE_CHECKING:
    from torch.nn import Module

RUNGS = ("net9", "sprint", "lenet5")  # with a holdout; without; images resized, softmax at the end
EPOCHS, SEEDS, IMAGES, TEST, HOLDOUT, TARGET = 3, range(2), 300, 150, 100, 10.0


def measurement_hash() -> str:
    """Return 64 hexadecimal digits for all that is measured of RUNGS at random weights, and for moved images."""
    from ladder.cards.augmentations import augment
    from ladder.data.synthetic import synthetic_digits
    from ladder.lanes.draws import generator

    digest = hashlib.sha256()
    data = synthetic_digits(IMAGES)
    for how in MOVED.values():
        moved = augment(data.images, [cards.Affine(**how)], generator("moved"))
        digest.update(moved.numpy().tobytes())
    for rung in RUNGS:
        for name, content in untrained_reports(cards.resolve(rung), data).items():
            digest.update(name.encode() + content)
    return digest.hexdigest()


def untrained_reports(recipe: cards.Recipe, data: Split) -> dict[str, bytes]:
    """Return {name of file: content} of a recipe's reports at random weights; arguments as for `measure_untrained`."""
    small = {"epochs": EPOCHS, "holdout": HOLDOUT if recipe.holdout else 0}
    with tempfile.TemporaryDirectory() as folder:
        measure_untrained(recipe.model_copy(update=small), data, Path(folder))
        return {path.name: path.read_bytes() for path in sorted(Path(folder).iterdir())}


def measure_untrained(recipe: cards.Recipe, data: Split, folder: Path) -> None:
    """Write into a folder what `climb` writes, for runs that have other random weights after every epoch."""
    from ladder.evaluation.measure import accuracy_of, measure
    from ladder.network.build import build

    test, train = (data.pick(part) for part in (slice(TEST), slice(TEST, None)))
    measured, rows = {}, {}
    for seed in SEEDS:
        weights = [random_weights(build(recipe, seed=0), 10 * seed + epoch) for epoch in range(EPOCHS)]
        measured[seed] = measure(recipe, weights, train, test)
        rows[seed] = [row(epoch, seed + epoch) for epoch in range(EPOCHS)]
        write_text(folder / f"accuracy_of_{seed}.txt", str(accuracy_of(recipe, weights[-1], test.images, test.labels)))
    write_results(folder, evaluation_of(recipe, measured, history_rows(rows), test.labels.numpy(), TARGET))


def row(epoch: int, more: int) -> dict:
    """Return the metrics that a run has for an epoch (from 0), with made-up accuracies, `more` percent higher."""
    losses = {"learning_rate": 0.1, "train_loss": 1.0, "holdout_loss": 1.0}
    return losses | {"epoch": epoch + 1, "train_accuracy": 90.0 + more, "holdout_accuracy": 80.0 + more}


def random_weights(model: "Module", seed: int) -> dict:
    """Return a torch module's state with all its numbers drawn anew, also the means and variances of normalisations."""
    from ladder.lanes.draws import generator, uniform

    draws = generator("random weights", seed)
    state = model.state_dict()
    for name, value in state.items():
        if value.is_floating_point():
            drawn = uniform(value.numel(), draws).to(value.dtype).view(value.shape)
            state[name] = drawn + 0.5 if name.endswith("running_var") else (drawn - 0.5) / 2
    return state
