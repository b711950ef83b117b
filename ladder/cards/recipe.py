"""A recipe: all that decides a run, made whole from a card and its ancestors."""

import operator
from typing import Annotated, Literal

from pydantic import (
    Field,
    model_validator,
)

from ladder.cards.augmentations import Affine, CenterCrop, Rotate
from ladder.cards.operations import Layer
from ladder.cards.optimizers import Adam, Sgd
from ladder.cards.schedules import Constant, OneCycle, Plateau, Step
from ladder.cards.schema import BatchSize, Count, Epochs, Fraction, Holdout, Positive, Strict, one_of, validated
from ladder.files import read_yaml

# A recipe says nothing of what it does without, so a key that is new changes no recipe, nor a run's digest, of before.
SAID_IF_SET = Field(exclude_if=operator.not_)


class Input(Strict):
    """How a uint8 image becomes what the network sees: resized to size x size, /255, -mean, /std."""

    size: Count = 28
    mean: Annotated[float, Field(allow_inf_nan=False)] = 0.1307
    std: Positive = 0.3081


class Recipe(Strict):
    """All that decides a run's bytes, but for the data and the random seed."""

    rung: str = ""
    input: Input = Input()
    network: list[Layer] = Field(min_length=1)
    epochs: Epochs
    batch_size: BatchSize
    loss: Literal["nll", "cross_entropy", "l1"]
    label_smoothing: Annotated[Fraction, SAID_IF_SET] = 0.0
    optimizer: one_of(Sgd, Adam)
    learning_rate: Positive
    schedule: one_of(Constant, Step, Plateau, OneCycle) = Constant()
    augment: list[one_of(Rotate, CenterCrop, Affine)] = []  # noqa: RUF012 (pydantic copies it)
    holdout: Holdout = 0
    portable: bool = True
    device: Literal["cpu", "cuda"] = "cpu"
    fingerprint: str | None = None

    @model_validator(mode="after")
    def _parts_fit(self):
        ending = {"nll": "log_softmax", "l1": "softmax"}.get(self.loss)
        if ending and self.network[-1].name != ending:
            raise ValueError(f"loss {self.loss} needs a network that ends in {ending}, not in {self.network[-1].name}")
        if self.label_smoothing and self.loss == "l1":
            raise ValueError("label_smoothing is for the losses nll and cross_entropy, not for l1")
        crops = [step.size for step in self.augment if isinstance(step, CenterCrop)]
        if crops and max(crops) > self.input.size:
            raise ValueError(f"center_crop size {max(crops)} is larger than the image, {self.input.size}")
        if isinstance(self.schedule, Plateau) and not self.holdout:
            raise ValueError("schedule plateau watches held-out training images, but holdout is 0")
        return self


def read_recipe(path):
    """Return the Recipe in a recipe.yaml that `plan` wrote. Raises LadderError."""
    return validated(Recipe, read_yaml(path), path)


def recipe_content(recipe):
    """Return a Recipe as plain mappings and lists, keys in their order, as a card would say it."""
    return recipe.model_dump()
