"""From a recipe's list of layers to a torch network."""

from collections import OrderedDict
from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn

from ladder.cards import Recipe, Row, layer_table
from ladder.cards.operations import Sequence as NestedOperation
from ladder.network.faster import faster_form

Form = Callable[[Sequence[Row], int], tuple[nn.Module, int] | None]


class Nested(nn.Sequential):
    """The modules of a nested sequence, whose output its operation combines with its input."""

    def __init__(self, operation: NestedOperation, modules: OrderedDict[str, nn.Module]):
        super().__init__(modules)
        self.operation = operation

    def forward(self, x: Tensor) -> Tensor:
        y = super().forward(x)
        if y.requires_grad:
            # A sum hands one and the same gradient to both of its sides, and NormReluDrop overwrites the one it gets.
            y.register_hook(torch.clone)
        return self.operation.combine(x, y)


def plain_form(rows: Sequence[Row], position: int) -> None:
    """Return no faster form for the layer at `position`: it is built as its class in ladder.cards.operations says."""


def build(recipe: Recipe, seed: int, form: Form = faster_form) -> nn.Sequential:
    """Return the network of a Recipe in train mode, at PyTorch's default initialisation drawn from `seed`.

    It maps float32 [N, 1, S, S] to [N, 10]. A module is named <number>_<operation>, as the card counts them, within a
    nested sequence too. form: given all rows of a sequence and a position, it returns a faster module and the number
    of layers that the module stands for, or None; with `plain_form` the network is torch's own modules, whose dropout
    draws for itself. The names of weights do not depend on it.
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        network = nn.Sequential(_modules(layer_table(recipe), form))
    return network.to(recipe.device, memory_format=torch.channels_last)


def _modules(rows: Sequence[Row], form: Form) -> OrderedDict[str, nn.Module]:
    """Return the modules of a sequence by name."""
    modules, position = OrderedDict(), 0
    while position < len(rows):
        row = rows[position]
        module, layers = form(rows, position) or (_plain(row, form), 1)
        modules[f"{position + 1}_{row.layer.name}"] = module
        position += layers
    return modules


def _plain(row: Row, form: Form) -> nn.Module:
    if row.inside:
        return Nested(row.layer, _modules(row.inside, form))
    return row.layer.module(nn, row.in_shape)
