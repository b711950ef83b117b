"""Whether an export says what the engine says."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from torch import Tensor

from ladder.exceptions import LadderError
from ladder.models.weights import Model

LARGEST_DIFFERENCE = 1e-3  # of a probability; those measured are about 1e-6


@dataclass(frozen=True)
class Agreement:
    """Of so many `images`, how many an export reads as the engine, and the largest difference of a probability."""

    images: int
    same: int
    difference: float

    def told(self) -> str:
        """Return the agreement as text."""
        read = f"all {self.images:,}" if self.same == self.images else f"{self.same:,} of {self.images:,}"
        return f"{read} test images read as by the engine, probabilities differ by {self.difference:.1e} at most"


def agreement(model: Model, export: Callable[[np.ndarray], np.ndarray], images: Tensor, path: object) -> Agreement:
    """Return the Agreement of a Model's export.

    export: uint8 [N, 1, 28, 28] to probabilities [N, 10]. images: uint8 [N, 1, 28, 28]. Raises LadderError, which
    begins with `path`, where the probabilities differ by more than rounding explains.
    """
    ours, theirs = model.probabilities(images).numpy(), export(images.numpy())
    difference = float(np.abs(ours - theirs).max())
    if not difference < LARGEST_DIFFERENCE:
        raise LadderError(f"{path}: its probabilities differ from the engine's by {difference:.3g}; not written")
    return Agreement(len(images), int((ours.argmax(1) == theirs.argmax(1)).sum()), difference)
