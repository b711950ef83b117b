"""A model's layers in their order, each with its weights: what every export begins with."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from ladder.cards import Row, layer_table
from ladder.cards.recipe import Input
from ladder.exceptions import LadderError
from ladder.models.weights import Model

EPS = 1e-5  # of batch normalisation, as ladder/cards/operations.py says


def normalisation(given: Input) -> tuple[float, float]:
    """Return (mean, std) of the only channel of pixels / 255; a recipe may write each as a list of one."""
    mean, std = (np.ravel(value).tolist() for value in (given.mean, given.std))
    return mean[0], std[0]


@dataclass(frozen=True)
class Trained:
    """A layer with its weights.

    name: as the network's state has it, such as "3_conv" or "3_residual.1_conv". row: its arguments and shapes.
    weights: {"weight": float32 array, ...}. inside: the layers of a sequence within it.
    """

    name: str
    row: Row
    weights: dict[str, np.ndarray]
    inside: tuple["Trained", ...]

    @property
    def word(self) -> str:
        """The operation's name."""
        return self.row.layer.name


def trained_layers(model: Model) -> list[Trained]:
    """Return a Trained for each layer of a Model. Raises LadderError where the weights are of another network."""
    state = {name: tensor.numpy() for name, tensor in model.weights.items()}
    layers = list(_layers(layer_table(model.recipe), state, ""))
    left = state.keys() - set(_names(layers))
    if left:
        raise LadderError(f"the weights of {model.name} do not fit its recipe; train it anew")
    return layers


def scale_and_shift(weights: dict[str, np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    """Return what a trained batch normalisation does to each channel, float32: x * scale + shift."""
    exact = {name: values.astype(np.float64) for name, values in weights.items()}
    scale = exact["weight"] / np.sqrt(exact["running_var"] + EPS)
    return scale.astype(np.float32), (exact["bias"] - exact["running_mean"] * scale).astype(np.float32)


def not_exported(layer: Trained, where: str) -> LadderError:
    """Return the error for a word that an export lacks. where: the export, such as "ONNX"."""
    return LadderError(f"layer {layer.row.number}: the word {layer.word!r} cannot be exported to {where} yet")


def _layers(rows: Sequence[Row], state, prefix) -> Iterator[Trained]:
    for number, row in enumerate(rows, start=1):
        name = f"{prefix}{number}_{row.layer.name}"
        own = {key.removeprefix(f"{name}."): value for key, value in state.items() if key.startswith(f"{name}.")}
        inside = tuple(_layers(row.inside, state, f"{name}."))
        yield Trained(name, row, {} if inside else own, inside)


def _names(layers):
    for layer in layers:
        yield from (f"{layer.name}.{key}" for key in layer.weights)
        yield from _names(layer.inside)
