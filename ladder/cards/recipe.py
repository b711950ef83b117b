"""A recipe: all that decides a run, made whole from a card and its ancestors."""

import operator
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, PlainSerializer, ValidationInfo, WrapValidator, field_validator, model_validator

from ladder.cards.augmentations import Augmentation
from ladder.cards.losses import Loss
from ladder.cards.operations import Layer
from ladder.cards.optimizers import Optimizer
from ladder.cards.schedules import Constant, Schedule
from ladder.cards.schema import (
    BatchSize,
    Count,
    Epochs,
    Fraction,
    Holdout,
    Positive,
    RungName,
    Strict,
    one_of,
    validated,
    words_of,
)
from ladder.files import read_yaml
from ladder.paths import DEFAULT_DATA, rung_on

# A key at its default is left out of recipe.yaml, so adding a key changes no existing recipe or digest.
SAID_IF_SET = Field(exclude_if=operator.not_)


def _one_or_several(value: Any, check: Any) -> Any:
    return [check(part) for part in value] if isinstance(value, list) else check(value)


# A number for all channels, or a list with one for each.
PER_CHANNEL = (WrapValidator(_one_or_several), PlainSerializer(lambda value: value))


class Input(Strict):
    """How a uint8 image becomes what the network sees: resized to size x size, /255, -mean, /std.

    What a card does not say is the data set's own. `mean` and `std` are a number, or a list with one for each channel.
    """

    size: Annotated[Count, Field(description="side in pixels, to which images are resized")] = 28
    mean: Annotated[float, Field(ge=-1000, le=1000, description="subtracted from pixel/255"), *PER_CHANNEL] = 0.1307
    std: Annotated[float, Field(ge=0.0001, le=1000, description="divides what is left"), *PER_CHANNEL] = 0.3081


class Images(Strict):
    """What the images of a data set are, before `input` changes them. side: in pixels."""

    channels: Annotated[int, Field(ge=1, le=3)] = 1
    side: Annotated[int, Field(ge=2, le=96)] = 28
    classes: Annotated[int, Field(ge=2, le=1000)] = 10


class Recipe(Strict):
    """All that decides a run's bytes, but for the data and the random seed."""

    rung: RungName = ""
    data: Annotated[RungName, Field(exclude_if=lambda name: name == DEFAULT_DATA)] = DEFAULT_DATA
    images: Annotated[Images, Field(exclude_if=lambda images: images == Images())] = Images()
    input: Input = Input()
    network: list[Layer] = Field(min_length=1)
    epochs: Annotated[Epochs, Field(description="passes over the training images")]
    batch_size: Annotated[BatchSize, Field(description="images a step; the last batch of an epoch may be smaller")]
    loss: Annotated[one_of(Loss), Field(description="a loss, see below")]
    label_smoothing: Annotated[
        Fraction, SAID_IF_SET, Field(description="only the gradient feels it: every reported loss is without")
    ] = 0.0
    optimizer: Annotated[one_of(Optimizer), Field(description="an optimizer, see below")]
    learning_rate: Annotated[Positive, Field(description="the rate that the schedule starts from, or its peak")]
    schedule: Annotated[one_of(Schedule), Field(description="a schedule, see below")] = Constant()
    augment: list[one_of(Augmentation)] = Field([], description="augmentations in their order, see below")
    holdout: Annotated[
        Holdout, Field(description="training images, balanced by class, that the run watches but does not train on")
    ] = 0
    device: Literal["cpu", "cuda"] = "cpu"
    bits: Annotated[Literal["this machine's"] | None, SAID_IF_SET] = None  # None: the same on every machine
    fingerprint: str | None = None

    @property
    def name(self) -> str:
        """The rung's name, with that of its data set where this is not the default one."""
        return rung_on(self.data, self.rung)

    @field_validator("network")
    @classmethod
    def _with_numbers(cls, network: list, info: ValidationInfo) -> list:
        """Put the number of classes where a card says `classes`. Without valid images that is a fault already."""
        images = info.data.get("images")
        return [layer.for_classes(images.classes) for layer in network] if images else network

    @model_validator(mode="after")
    def _parts_fit(self):
        for key in ("mean", "std"):
            values = getattr(self.input, key)
            if isinstance(values, list) and len(values) != self.images.channels:
                raise ValueError(
                    f"input.{key} has {len(values)} numbers; the images have {self.images.channels} channels"
                )
        ending, last = self.loss.ending, self.network[-1].name
        if ending and last != ending:
            raise ValueError(f"loss {self.loss.name} needs a network that ends in {ending}, not in {last}")
        if self.label_smoothing and not self.loss.smooths:
            others = " and ".join(name for name, loss in words_of(Loss).items() if loss.smooths)
            raise ValueError(f"label_smoothing is for the losses {others}, not for {self.loss.name}")
        for step in self.augment:
            step.check(self.input.size)
        if self.schedule.watches_holdout and not self.holdout:
            raise ValueError(f"schedule {self.schedule.name} watches held-out training images, but holdout is 0")
        return self


def read_recipe(path: str | Path) -> Recipe:
    """Return the Recipe in a recipe.yaml that `plan` wrote. Raises LadderError."""
    return validated(Recipe, read_yaml(path), path)


def recipe_content(recipe: Recipe) -> dict:
    """Return a Recipe as plain mappings and lists, keys in their order, as a card would say it."""
    return recipe.model_dump()
