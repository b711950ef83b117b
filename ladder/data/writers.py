"""Who wrote the digits of a data set such as MNIST, from the table that its card names; see datasets/README.md."""

import hashlib
import io

import pandas as pd
import torch

from ladder.data.data_set import CARDS, Groups
from ladder.exceptions import LadderError


def read_writers(groups: Groups, split: str, count: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Return (writer, int32 [count]; kind, uint8 [count]) of the images of `train` or `test`, in their order.

    The table has the columns split, index, series (the kind of the writer) and writer. Raises LadderError where it is
    missing, is not the card's, or is not of so many images.
    """
    path = CARDS / groups.table
    restore = f"restore it with `git checkout {path}`"
    try:
        content = path.read_bytes()
        if hashlib.sha256(content).hexdigest() != groups.sha256:
            raise ValueError("another SHA-256 than its card has")
        table = pd.read_csv(io.BytesIO(content), compression="gzip" if path.suffix == ".gz" else None)
        of_split = table[table["split"] == split]
        fits = of_split["index"].tolist() == list(range(count)) and of_split["series"].isin(groups.kinds).all()
    except (OSError, EOFError, ValueError, KeyError) as error:
        raise LadderError(f"{path} cannot be read ({error}); {restore}") from None
    if not fits:
        raise LadderError(f"{path} has not the {count:,} images of {split}; {restore}")
    return torch.tensor(of_split["writer"].to_numpy("int32")), torch.tensor(of_split["series"].to_numpy("uint8"))
