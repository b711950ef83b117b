"""The losses that a card can name, one class each."""

from typing import TYPE_CHECKING, ClassVar

from ladder.cards.schema import Word

if TYPE_CHECKING:
    from torch import Tensor


class Loss(Word):
    """What training minimises: a mean over the batch."""

    ending: ClassVar[str | None] = None  # the operation that the network must end in; None: any
    smooths: ClassVar[bool] = True  # whether it allows label smoothing

    def value(self, outputs: "Tensor", labels: "Tensor") -> "Tensor":
        """Return the loss of a network's outputs [N, classes] against labels int64 [N], without label smoothing."""
        raise NotImplementedError(f"{self.name} has no meaning in torch yet")

    def smoothed(self, value: "Tensor", outputs: "Tensor", smoothing: float) -> "Tensor":
        """Return what training minimises: the `value` of these outputs with label smoothing.

        With smoothing s a label is the class to 1 - s, and every one of K classes to s/K: C. Szegedy et al.,
        arXiv:1512.00567, section 7.
        """
        if not smoothing:
            return value
        return (1 - smoothing) * value - smoothing * self.log_probabilities(outputs).mean()

    def log_probabilities(self, outputs: "Tensor") -> "Tensor":
        """Return the logarithms of the class probabilities [N, classes] that the loss takes the outputs for."""
        raise NotImplementedError(f"{self.name} does not smooth labels")


class Nll(Loss):
    """Negative log-likelihood, of log-probabilities."""

    name: ClassVar = "nll"
    ending: ClassVar = "log_softmax"

    def value(self, outputs, labels):
        from torch.nn.functional import nll_loss

        return nll_loss(outputs, labels)

    def log_probabilities(self, outputs):
        return outputs


class CrossEntropy(Loss):
    """Cross-entropy: negative log-likelihood behind a log-softmax of its own, whatever the network ends in."""

    name: ClassVar = "cross_entropy"

    def value(self, outputs, labels):
        from torch.nn.functional import cross_entropy

        return cross_entropy(outputs, labels)

    def log_probabilities(self, outputs):
        return outputs.log_softmax(1)


class L1(Loss):
    """Mean absolute difference between probabilities and one-hot labels."""

    name: ClassVar = "l1"
    ending: ClassVar = "softmax"
    smooths: ClassVar = False

    def value(self, outputs, labels):
        from torch.nn.functional import l1_loss, one_hot

        return l1_loss(outputs, one_hot(labels, outputs.shape[1]).to(outputs.dtype))
