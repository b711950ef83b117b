"""Hash what measuring gives for a few untrained networks: what a rung's results depend on, beside its training.

As a fingerprint for training: it changes where the ladder would measure something else, so that all rungs are measured
again; it stays when code is only moved or renamed, so that none is trained again for that.
Usage: python -m stages.measuring. Reads: rungs/cards/. Writes: reports/measuring.txt.
"""

import hashlib
import tempfile
from pathlib import Path

from ladder import cards
from ladder.evaluation.moved import MOVED
from ladder.evaluation.tables import write_rung
from ladder.files import write_text

RUNGS = ("net9", "sprint", "lenet5")  # with a holdout; without; images resized, softmax at the end
EPOCHS, SEEDS, IMAGES, TEST, HOLDOUT, TARGET = 3, range(2), 300, 150, 100, 10.0


def measuring():
    """Return 64 hexadecimal digits for all that is measured of RUNGS at random weights, and for moved images."""
    from ladder.cards.augmentations import augment
    from ladder.data.synthetic import synthetic_digits
    from ladder.lanes.draws import generator

    digest = hashlib.sha256()
    images, labels = synthetic_digits(IMAGES)
    for how in MOVED.values():
        moved = augment(images, [cards.Affine(**how)], generator("moved"))
        digest.update(moved.numpy().tobytes())
    for rung in RUNGS:
        recipe = cards.resolve(rung)
        small = {"epochs": EPOCHS, "holdout": HOLDOUT if recipe.holdout else 0}
        with tempfile.TemporaryDirectory() as folder:
            measure_untrained(recipe.model_copy(update=small), images, labels, Path(folder))
            for path in sorted(Path(folder).iterdir()):
                digest.update(path.name.encode() + path.read_bytes())
    return digest.hexdigest()


def measure_untrained(recipe, images, labels, folder):
    """Write into a folder what `climb` writes, for runs whose every epoch leaves other random weights."""
    from ladder.evaluation.measure import accuracy_of, measure
    from ladder.network.build import build

    test, train = ({"images": images[part], "labels": labels[part]} for part in (slice(TEST), slice(TEST, None)))
    measured, rows = {}, {}
    for seed in SEEDS:
        weights = [random_weights(build(recipe, seed=0), 10 * seed + epoch) for epoch in range(EPOCHS)]
        measured[seed] = measure(recipe, weights, train, test)
        rows[seed] = [row(epoch, seed + epoch) for epoch in range(EPOCHS)]
        write_text(folder / f"accuracy_of_{seed}.txt", str(accuracy_of(recipe, weights[-1], **test)))
    write_rung(folder, recipe, measured, rows, test["labels"].numpy(), TARGET)


def row(epoch, more):
    """Return a row of metrics as a run has it for an epoch (from 0), with made-up accuracies."""
    losses = {"learning_rate": 0.1, "train_loss": 1.0, "holdout_loss": 1.0}
    return losses | {"epoch": epoch + 1, "train_accuracy": 90.0 + more, "holdout_accuracy": 80.0 + more}


def random_weights(model, seed):
    """Return a network's state with every number of it drawn anew, its normalisations' means and variances too."""
    from ladder.lanes.draws import generator, uniform

    draws = generator("random weights", seed)
    state = model.state_dict()
    for name, value in state.items():
        if value.is_floating_point():
            drawn = uniform(value.numel(), draws).to(value.dtype).view(value.shape)
            state[name] = drawn + 0.5 if name.endswith("running_var") else (drawn - 0.5) / 2
    return state
