"""The operations of a network, one class each: arguments, shape rule, parameters, receptive field, meaning in torch.

An operation sees a map [channels, height, width], or [features] after `flatten`; shapes are without the batch. To add
one, write its class here and a test; docs/vocabulary.md is made from the classes.
"""

import math
from types import ModuleType
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Self

from pydantic import Field, PlainSerializer, WrapValidator, model_validator

from ladder.cards.schema import Count, Word, one_of

if TYPE_CHECKING:
    from torch import Tensor
    from torch.nn import Module

Shape = tuple[int, ...]
DEEPEST = 8  # sequences within sequences
AS_CLASSES = "classes"  # a card's word for the number of classes of the data set


def _number_or_classes(value: Any, check: Any) -> Any:
    return value if value == AS_CLASSES else check(value)


# A Recipe puts the number in place of the word; see `Operation.for_classes`.
Outputs = Annotated[Count, WrapValidator(_number_or_classes), PlainSerializer(lambda value: value)]


class Operation(Word):
    """A layer of a network. It keeps its input's shape and has no parameters, unless its own text says otherwise."""

    def out_shape(self, shape: Shape) -> Shape:
        """Return the output's shape. Raises ValueError where the input's shape does not fit."""
        return shape

    def parameters(self, shape: Shape) -> int:
        """Return the number of trainable parameters for an input of this shape."""
        return 0

    def window(self, shape: Shape) -> tuple[int, int]:
        """Return (reach, stride): an output sees `reach` + 1 inputs a side; the next one begins `stride` further."""
        return 0, 1

    def for_classes(self, classes: int) -> Self:
        """Return the operation with the number of classes where a card says `out: classes`."""
        return self.model_copy(update={"out": classes}) if getattr(self, "out", None) == AS_CLASSES else self

    @property
    def inside(self) -> list["Operation"]:
        """The operations of the sequence that a Sequence takes; a plain operation has none."""
        return []

    def module(self, nn: ModuleType, shape: Shape) -> "Module":
        """Return the operation as plain torch has it, for an input of this shape. nn: torch.nn.

        It trains at once. Where ladder/lanes/network.py has no kernel for it, torch computes it: a little slower, and
        the bits are then those of one machine, as the recipe says.
        """
        raise NotImplementedError(f"{self.name} has no meaning in torch yet")

    def probabilities(self, outputs: "Tensor") -> "Tensor":
        """Return class probabilities [N, classes] of the outputs of a network that ends in this operation."""
        return outputs.softmax(1)


Layer = one_of(Operation)


class Conv(Operation):
    """2-D convolution with a square kernel: a map of `out` channels. It has no bias unless the card asks for one.

    `out: classes` stands for as many as the data set has classes.
    """

    name: ClassVar = "conv"
    out: Outputs
    kernel: Count
    stride: Count = 1
    padding: Annotated[int, Field(ge=0, le=1000)] = 0
    dilation: Count = 1
    groups: Count = 1
    bias: bool = False

    def out_shape(self, shape):
        channels = _map(shape)[0]
        if channels % self.groups or self.out % self.groups:
            raise ValueError(f"groups {self.groups} must divide {channels} channels in and {self.out} out")
        side = _side(shape[1], *self.window(shape), self.padding)
        return self.out, side, side

    def parameters(self, shape):
        return shape[0] // self.groups * self.kernel**2 * self.out + self.bias * self.out

    def window(self, shape):
        return self.dilation * (self.kernel - 1), self.stride

    def module(self, nn, shape):
        sizes = (self.kernel, self.stride, self.padding, self.dilation, self.groups)
        return nn.Conv2d(shape[0], self.out, *sizes, bias=self.bias)


class Linear(Operation):
    """Fully connected layer with bias: `out` features; `out: classes` for as many as the data set has classes."""

    name: ClassVar = "linear"
    out: Outputs

    def out_shape(self, shape):
        _flat(shape)
        return (self.out,)

    def parameters(self, shape):
        return (shape[0] + 1) * self.out

    def module(self, nn, shape):
        return nn.Linear(shape[0], self.out)


class BatchNorm(Operation):
    """Batch normalisation of each channel (eps 1e-5, momentum 0.1, learned scale and shift)."""

    name: ClassVar = "batch_norm"

    def out_shape(self, shape):
        return _map(shape)

    def parameters(self, shape):
        return 2 * shape[0]

    def module(self, nn, shape):
        return nn.BatchNorm2d(shape[0])


class Relu(Operation):
    """The larger of x and 0."""

    name: ClassVar = "relu"

    def module(self, nn, shape):
        return nn.ReLU()


class Gelu(Operation):
    """x times the probability that a standard normal variable is below x: arXiv:1606.08415, exact."""

    name: ClassVar = "gelu"

    def module(self, nn, shape):
        return nn.GELU()


class Silu(Operation):
    """x times the logistic function of x: arXiv:1702.03118."""

    name: ClassVar = "silu"

    def module(self, nn, shape):
        return nn.SiLU()


class Tanh(Operation):
    """Hyperbolic tangent."""

    name: ClassVar = "tanh"

    def module(self, nn, shape):
        return nn.Tanh()


class Dropout(Operation):
    """Zero each element with probability `p` while training, and scale the others by 1/(1-p)."""

    name: ClassVar = "dropout"
    p: Annotated[float, Field(ge=0.001, lt=1)]

    def module(self, nn, shape):
        return nn.Dropout(self.p)


class _Pool(Operation):
    kernel: Count
    stride: Count | None = None  # None: as the kernel

    def out_shape(self, shape):
        side = _side(_map(shape)[1], *self.window(shape), 0)
        return shape[0], side, side

    def window(self, shape):
        return self.kernel - 1, self.stride or self.kernel


class MaxPool(_Pool):
    """The largest value of each window; the stride is the kernel unless the card gives one."""

    name: ClassVar = "max_pool"

    def module(self, nn, shape):
        return nn.MaxPool2d(self.kernel, self.stride)


class AvgPool(_Pool):
    """The mean of each window; the stride is the kernel unless the card gives one."""

    name: ClassVar = "avg_pool"

    def module(self, nn, shape):
        return nn.AvgPool2d(self.kernel, self.stride)


class GlobalAvgPool(Operation):
    """The mean of each channel, as a map of one pixel."""

    name: ClassVar = "global_avg_pool"

    def out_shape(self, shape):
        return _map(shape)[0], 1, 1

    def window(self, shape):
        return shape[1] - 1, 1

    def module(self, nn, shape):
        return nn.AdaptiveAvgPool2d(1)


class Flatten(Operation):
    """Turn a map into a list of features, which `linear`, `softmax` and `log_softmax` need."""

    name: ClassVar = "flatten"

    def out_shape(self, shape):
        return (math.prod(_map(shape)),)

    def window(self, shape):
        return shape[1] - 1, 1

    def module(self, nn, shape):
        return nn.Flatten()


class Softmax(Operation):
    """Turn scores into class probabilities."""

    name: ClassVar = "softmax"

    def out_shape(self, shape):
        return _flat(shape)

    def module(self, nn, shape):
        return nn.Softmax(dim=-1)

    def probabilities(self, outputs):
        return outputs


class LogSoftmax(Operation):
    """Turn scores into logarithms of class probabilities."""

    name: ClassVar = "log_softmax"

    def out_shape(self, shape):
        return _flat(shape)

    def module(self, nn, shape):
        return nn.LogSoftmax(dim=-1)

    def probabilities(self, outputs):
        return outputs.exp()


class Sequence(Operation):
    """Base of an operation that takes a sequence of operations and combines its input with their output."""

    sole: ClassVar = "layers"
    layers: Annotated[list[Layer], Field(min_length=1)]

    @model_validator(mode="after")
    def _not_too_deep(self):
        if _depth(self) > DEEPEST:
            raise ValueError(f"sequences are nested more than {DEEPEST} deep")
        return self

    @property
    def inside(self):
        return self.layers

    def for_classes(self, classes):
        return self.model_copy(update={"layers": [layer.for_classes(classes) for layer in self.layers]})

    def parameters(self, shape):
        total = 0
        for layer in self.layers:
            total += layer.parameters(shape)
            shape = layer.out_shape(shape)
        return total

    def combine(self, before: "Tensor", after: "Tensor") -> "Tensor":
        """Return the output for the sequence's input and output, in which channels or features are dimension 1.

        Only copies, elementwise sums and elementwise products keep the bits the same on every machine.
        """
        raise NotImplementedError(f"{self.name} has no meaning in torch yet")


class Residual(Sequence):
    """A sequence of layers plus its own input, as in arXiv:1512.03385; the layers must keep the input's shape."""

    name: ClassVar = "residual"

    def out_shape(self, shape):
        after = shape
        for layer in self.layers:
            after = layer.out_shape(after)
        if after != shape:
            raise ValueError(f"its layers turn shape {shape} into {after}; they must keep it")
        return shape

    def combine(self, before, after):
        return before + after


def _depth(layer: Operation) -> int:
    return max((1 + _depth(part) for part in layer.inside), default=0)


def _map(shape: Shape) -> Shape:
    """Return the shape of a map. Raises ValueError where it is not one."""
    if len(shape) != 3:
        raise ValueError(f"its input has shape {shape}, already flat")
    return shape


def _flat(shape: Shape) -> Shape:
    """Return the shape of a list of features. Raises ValueError where it is not one."""
    if len(shape) != 1:
        raise ValueError(f"its input has shape {shape}; flatten it first")
    return shape


def _side(side: int, reach: int, stride: int, padding: int) -> int:
    """Return the output's side for a window of `reach` + 1 that moves by `stride`: arXiv:1603.07285."""
    if side + 2 * padding <= reach:
        raise ValueError(f"its window of {reach + 1} does not fit on a map of {side} with padding {padding}")
    return (side + 2 * padding - reach - 1) // stride + 1
