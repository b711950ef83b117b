"""The loss of a batch: by lanes' kernels where they know it; elsewhere, and on a GPU, as its word says it in torch."""

from torch import Tensor

from ladder.cards import Recipe
from ladder.lanes import losses


def loss_of(recipe: Recipe, outputs: Tensor, labels: Tensor) -> tuple[Tensor, float, int]:
    """Return (objective, loss, correct) of outputs [N, classes] against labels int64 [N].

    objective: what training minimises, with label smoothing; call backward() on it. loss: the mean without label
    smoothing. correct: how many images have their largest output at the label.
    """
    if outputs.is_cpu and recipe.loss.name in losses.KINDS:
        return losses.loss_of(outputs, labels, recipe.loss.name, recipe.label_smoothing)
    value = recipe.loss.value(outputs, labels)
    objective = recipe.loss.smoothed(value, outputs, recipe.label_smoothing)
    return objective, value.item(), int((outputs.argmax(1) == labels).sum())
