"""Who wrote MNIST's digits: 539 people the training digits, 297 others the test digits.

Half of either are employees of the Census Bureau (NIST's series hsf_0), the others high-school students (hsf_4).
Source: datasets/README.md.
"""

from pathlib import Path

import pandas as pd
import torch

from ladder.exceptions import LadderError

WRITERS = Path("datasets/mnist_writers.csv.gz")
KINDS = {0: "employees", 4: "high-school students"}


def read_writers(split: str, count: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Return (writer, int32 [count]; NIST series, uint8 [count]) of the images of `train` or `test`, in their order.

    Raises LadderError where the table is missing or is not of so many images.
    """
    try:
        table = pd.read_csv(WRITERS)
        of_split = table[table["split"] == split]
        fits = of_split["index"].tolist() == list(range(count)) and of_split["series"].isin(KINDS).all()
    except (OSError, EOFError, ValueError, KeyError) as error:
        raise LadderError(f"{WRITERS} cannot be read ({error}); restore it with `git checkout {WRITERS}`") from None
    if not fits:
        raise LadderError(
            f"{WRITERS} has not the {count:,} images of {split}; restore it with `git checkout {WRITERS}`"
        )
    return torch.tensor(of_split["writer"].to_numpy("int32")), torch.tensor(of_split["series"].to_numpy("uint8"))
