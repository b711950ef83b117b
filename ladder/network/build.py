"""From a recipe's list of layers to a torch network."""

import math
from collections import OrderedDict
from collections.abc import Sequence

from torch import nn

from ladder.cards import Recipe, Row, layer_table
from ladder.cards.operations import Dropout
from ladder.cards.shapes import with_inside
from ladder.lanes.network import Dropout as ListedDropout
from ladder.lanes.network import Lanes, Nested, has_kernel
from ladder.lanes.weights import start


def build(recipe: Recipe, seed: int) -> Lanes:
    """Return the network of a Recipe in train mode, with PyTorch's default initialisation drawn from `seed`.

    It maps float32 [N, C, S, S] to [N, classes]. A module is named <number>_<operation>, as the card counts them,
    within a nested sequence too. On the CPU the lanes compute it, on a GPU torch.
    """
    network = Lanes(_modules(layer_table(recipe)))
    start(network, seed)
    return network.to(recipe.device)


def operations_without_kernel(recipe: Recipe) -> list[str]:
    """Return the words of a Recipe's network that have no kernel in the lanes, each once: torch computes them."""
    rows = [row for row in with_inside(layer_table(recipe)) if not row.inside]
    return list(dict.fromkeys(row.layer.name for row in rows if not has_kernel(_module(row), row.in_shape)))


def _modules(rows: Sequence[Row]) -> OrderedDict[str, nn.Module]:
    """Return the modules of a sequence by name."""
    return OrderedDict((f"{number}_{row.layer.name}", _module(row)) for number, row in enumerate(rows, start=1))


def _module(row: Row) -> nn.Module:
    """Return what torch has for a layer; a dropout is told what to drop, which its run draws."""
    if row.inside:
        return Nested(_modules(row.inside), row.layer.combine)
    if isinstance(row.layer, Dropout):
        return ListedDropout(row.layer.p, math.prod(row.shape))
    return row.layer.module(nn, row.in_shape)
