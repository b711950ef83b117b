"""Which layers are built as the faster modules of ladder.network.layers, which mean the same."""

import math
from collections.abc import Sequence

from torch import nn

from ladder.cards import Row
from ladder.cards.operations import BatchNorm, Conv, Dropout, Relu
from ladder.network.layers import Drop, NormReluDrop, UnpaddedConv


def faster_form(rows: Sequence[Row], position: int) -> tuple[nn.Module, int] | None:
    """Return (module, number of layers that it stands for) for the layer at `position`, or None without a faster one.

    A ReLU and a dropout that follow a batch normalisation become part of its module.
    """
    row = rows[position]
    if isinstance(row.layer, BatchNorm):
        return _norm_relu_drop(rows, position)
    if isinstance(row.layer, Dropout):
        return Drop(row.layer.p, math.prod(row.shape)), 1
    if row.layer == Conv(out=row.shape[0], kernel=3):
        return UnpaddedConv(row.in_shape[0], row.shape[0]), 1
    return None


def _norm_relu_drop(rows: Sequence[Row], position: int) -> tuple[NormReluDrop, int]:
    row = rows[position]
    following = [r.layer for r in rows[position + 1 : position + 3]]
    relu = bool(following) and isinstance(following[0], Relu)
    drop = following[relu] if len(following) > relu and isinstance(following[relu], Dropout) else None
    # Only the output of a convolution in the same sequence is needed by nobody else: a nested sequence's input is.
    after_conv = position > 0 and isinstance(rows[position - 1].layer, Conv)
    module = NormReluDrop(row.shape[0], relu, drop.p if drop else 0.0, math.prod(row.shape), in_place=after_conv)
    return module, 1 + relu + (drop is not None)
