"""Whose bits a run has: everybody's where the lanes compute it, this machine's where torch's operators do."""

from torch import nn, zeros

from ladder.cards import Recipe
from ladder.lanes import losses, optimizers
from ladder.network.build import operations_without_kernel
from ladder.training.optimizers import make_optimizer

THIS_MACHINES = "this machine's"


def words_without_kernel(recipe: Recipe) -> list[str]:
    """Return the words of a Recipe, of its operations, its loss and its optimizer, that torch computes on the CPU."""
    words = operations_without_kernel(recipe)
    if recipe.loss.name not in losses.KINDS:
        words.append(recipe.loss.name)
    optimizer = make_optimizer(recipe, nn.ParameterList([zeros(1)]))
    if not isinstance(optimizer, optimizers.SGD | optimizers.Adam):
        words.append(recipe.optimizer.name)
    return words


def reason_for_own_bits(recipe: Recipe) -> str | None:
    """Return why the bits of a Recipe's runs are those of one machine, or None where they are the same on all."""
    if recipe.device != "cpu":
        return f"torch computes on {recipe.device}"
    words = words_without_kernel(recipe)
    return f"torch computes {', '.join(words)}, for which there is no kernel" if words else None
