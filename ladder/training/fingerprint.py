"""The fingerprint of a recipe on this machine: the hash of what a miniature run leaves behind.

It changes when the bits of a real run would change. It stays when code is only moved or renamed. It is
the same on every processor, unless torch computes a part of the run: ladder/training/bits.py tells.
"""

import hashlib

from ladder.cards import Recipe
from ladder.data.synthetic import synthetic_digits
from ladder.exceptions import LadderError, is_out_of_memory
from ladder.training.run import run

HOLDOUT = 100  # images, of whole groups


def fingerprint(recipe: Recipe) -> str:
    """Return 64 hexadecimal digits for a Recipe on this machine. Raises LadderError where it cannot train."""
    digest = hashlib.sha256()
    try:
        hash_miniature_run(recipe, digest)
    except (LadderError, MemoryError, RuntimeError) as error:
        if isinstance(error, LadderError):
            fault = error
        elif is_out_of_memory(error):
            fault = "not enough memory; take a smaller network or batch_size"
        else:
            raise
        raise LadderError(f"rung {recipe.name}, on trial with two batches: {fault}") from error
    return digest.hexdigest()


def hash_miniature_run(recipe: Recipe, digest: "hashlib._Hash") -> None:
    """Update a hashlib digest with all Epochs of a Recipe on two batches of synthetic digits.

    They are of the kind of the Recipe's data set. The second batch is a smaller one, as a real epoch's last.
    """
    holdout = HOLDOUT if recipe.holdout else 0
    images = max(recipe.batch_size + recipe.batch_size * 3 // 4, recipe.images.classes) + holdout
    data = synthetic_digits(images, recipe.images)
    for epoch in run(recipe.model_copy(update={"holdout": holdout}), data, seed=0):
        digest.update(repr(sorted(epoch.row.items())).encode())
        for name, tensor in sorted(epoch.weights.items()):
            digest.update(name.encode() + tensor.numpy().tobytes())
