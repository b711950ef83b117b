"""The operations of a network: on maps [channels, height, width], or on [features] after `flatten`."""

from typing import Annotated, ClassVar

from pydantic import (
    Field,
)

from ladder.cards.schema import Count, Strict, one_of


class Conv(Strict):
    """2-D convolution with a square kernel. No bias unless the card says so."""

    name: ClassVar = "conv"
    out: Count
    kernel: Count
    stride: Count = 1
    padding: Annotated[int, Field(ge=0, le=1000)] = 0
    dilation: Count = 1
    groups: Count = 1
    bias: bool = False


class Linear(Strict):
    """Fully connected layer with bias."""

    name: ClassVar = "linear"
    out: Count


class BatchNorm(Strict):
    """Batch normalisation over each channel (eps 1e-5, momentum 0.1, learned scale and shift)."""

    name: ClassVar = "batch_norm"


class Relu(Strict):
    name: ClassVar = "relu"


class Tanh(Strict):
    name: ClassVar = "tanh"


class Dropout(Strict):
    """Zero each element with probability `p` while training, and scale the others by 1/(1-p)."""

    name: ClassVar = "dropout"
    p: Annotated[float, Field(ge=0.001, lt=1)]


class Pool(Strict):
    kernel: Count
    stride: Count | None = None  # None: as the kernel


class MaxPool(Pool):
    name: ClassVar = "max_pool"


class AvgPool(Pool):
    name: ClassVar = "avg_pool"


class GlobalAvgPool(Strict):
    name: ClassVar = "global_avg_pool"


class Flatten(Strict):
    name: ClassVar = "flatten"


class Softmax(Strict):
    name: ClassVar = "softmax"


class LogSoftmax(Strict):
    name: ClassVar = "log_softmax"


Layer = one_of(
    Conv,
    Linear,
    BatchNorm,
    Relu,
    Tanh,
    Dropout,
    MaxPool,
    AvgPool,
    GlobalAvgPool,
    Flatten,
    Softmax,
    LogSoftmax,
)
