"""The losses that a recipe can name."""

from torch.nn import functional as F

from ladder.cards import CLASSES


def loss_of(recipe, outputs, labels):
    """Return the recipe's loss of outputs [N, 10] against labels int64 [N], without label smoothing."""
    if recipe.loss == "nll":
        return F.nll_loss(outputs, labels)
    if recipe.loss == "cross_entropy":
        return F.cross_entropy(outputs, labels)
    return F.l1_loss(outputs, F.one_hot(labels, CLASSES).to(outputs.dtype))


def smoothed(recipe, loss, outputs):
    """Return what training minimises: `loss_of` the outputs with the recipe's label smoothing.

    With smoothing s a label is the class to 1 - s, and all ten to s/10 each: C. Szegedy et al., arXiv:1512.00567,
    section 7.
    """
    if not recipe.label_smoothing:
        return loss
    logs = outputs if recipe.loss == "nll" else outputs.log_softmax(1)
    return (1 - recipe.label_smoothing) * loss - recipe.label_smoothing * logs.mean()
