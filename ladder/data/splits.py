"""The training and test images as `preprocess` wrote them."""

from ladder.paths import PROCESSED


def read_split(split):
    """Return {"images": uint8 [N, 1, 28, 28], "labels": uint8 [N]} of `train` or `test`, as `preprocess` wrote them."""
    from ladder.data.tensors import read_tensors  # imports torch, which takes seconds

    return read_tensors(PROCESSED / f"{split}.safetensors")
