"""Rung cards: small YAML files that say what to train, and the recipe they resolve to.

A card is data. It may extend another card; the recipe is whole. Everything is checked against the models
below, and a fault is one line that names the file, the key and, for a misspelt name, the nearest valid one.
"""

import difflib
import operator
import re
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PlainSerializer,
    ValidationError,
    model_validator,
)

from ladder.errors import LadderError
from ladder.files import read_yaml

CARDS = Path("rungs/cards")

Count = Annotated[int, Field(ge=1, le=1_000_000)]
Epochs = Annotated[int, Field(ge=1, le=1000)]
BatchSize = Annotated[int, Field(ge=2, le=10000)]
Holdout = Annotated[int, Field(ge=0, le=30000, multiple_of=10)]  # training images kept back
Seeds = Annotated[int, Field(ge=1, le=100)]
Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]
Fraction = Annotated[float, Field(ge=0, lt=1)]
Percent = Annotated[float, Field(ge=0, le=100)]


class Strict(BaseModel):
    """A mapping whose keys and types are all known; a misspelt key is told its nearest neighbour."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)

    @model_validator(mode="before")
    @classmethod
    def _known_keys(cls, value):
        if isinstance(value, dict):
            for key in value:
                if key not in cls.model_fields:
                    raise ValueError(f"unknown key {key!r}; {nearest(key, cls.model_fields)}")
        return value


def _one_of(*kinds):
    """Return a type for `name` or `{name: {...}}`, where the name is that of one of `kinds`."""
    by_name = {kind.name: kind for kind in kinds}

    def read(value):
        if isinstance(value, kinds):
            return value
        name, arguments = next(iter(value.items())) if isinstance(value, dict) and len(value) == 1 else (value, {})
        if not isinstance(name, str):
            raise ValueError(f"expected a name or one `name: {{...}}`, not {value!r}")
        if name not in by_name:
            raise ValueError(f"unknown name {name!r}; {nearest(name, by_name)}")
        try:
            return by_name[name].model_validate(arguments)
        except ValidationError as error:
            raise ValueError(f"{name}{'.' if _where(error) else ': '}{_first_line(error)}") from None

    def write(value):
        arguments = value.model_dump(exclude_defaults=True)
        return {value.name: arguments} if arguments else value.name

    return Annotated[Any, BeforeValidator(read), PlainSerializer(write)]


# --- layers: operations on [channels, height, width] maps, or on [features] after `flatten` -------------------


class Conv(Strict):
    """2-D convolution with a square kernel. No bias unless the card says so."""

    name: ClassVar = "conv"
    out: Count
    kernel: Count
    stride: Count = 1
    padding: Annotated[int, Field(ge=0, le=1000)] = 0
    dilation: Count = 1
    groups: Count = 1
    bias: bool = False


class Linear(Strict):
    """Fully connected layer with bias."""

    name: ClassVar = "linear"
    out: Count


class BatchNorm(Strict):
    """Batch normalisation over each channel (eps 1e-5, momentum 0.1, learned scale and shift)."""

    name: ClassVar = "batch_norm"


class Relu(Strict):
    name: ClassVar = "relu"


class Tanh(Strict):
    name: ClassVar = "tanh"


class Dropout(Strict):
    """Zero each element with probability `p` while training, and scale the others by 1/(1-p)."""

    name: ClassVar = "dropout"
    p: Annotated[float, Field(ge=0.001, lt=1)]


class Pool(Strict):
    kernel: Count
    stride: Count | None = None  # None: as the kernel


class MaxPool(Pool):
    name: ClassVar = "max_pool"


class AvgPool(Pool):
    name: ClassVar = "avg_pool"


class GlobalAvgPool(Strict):
    name: ClassVar = "global_avg_pool"


class Flatten(Strict):
    name: ClassVar = "flatten"


class Softmax(Strict):
    name: ClassVar = "softmax"


class LogSoftmax(Strict):
    name: ClassVar = "log_softmax"


Layer = _one_of(
    Conv,
    Linear,
    BatchNorm,
    Relu,
    Tanh,
    Dropout,
    MaxPool,
    AvgPool,
    GlobalAvgPool,
    Flatten,
    Softmax,
    LogSoftmax,
)


# --- the recipe -------------------------------------------------------------------------------------------------


class Input(Strict):
    """How a uint8 image becomes what the network sees: resized to size x size, /255, -mean, /std."""

    size: Count = 28
    mean: Annotated[float, Field(allow_inf_nan=False)] = 0.1307
    std: Positive = 0.3081


class Sgd(Strict):
    """Stochastic gradient descent as torch.optim.SGD; weight decay spares biases and normalisations."""

    name: ClassVar = "sgd"
    momentum: Fraction = 0.0
    nesterov: bool = False
    weight_decay: Fraction = 0.0

    @model_validator(mode="after")
    def _nesterov_has_momentum(self):
        if self.nesterov and not self.momentum:
            raise ValueError("nesterov needs a momentum")
        return self


class Adam(Strict):
    """Adam with its paper's betas (0.9, 0.999) and eps 1e-8."""

    name: ClassVar = "adam"


class Constant(Strict):
    name: ClassVar = "constant"


class Step(Strict):
    """Multiply the learning rate by `factor` after every `every` epochs."""

    name: ClassVar = "step"
    every: Count
    factor: Positive


class Plateau(Strict):
    """Multiply the learning rate by `factor` once the holdout loss has not improved for more than `patience` epochs.

    An improvement is a loss below (1 - 1e-4) times the best so far, as in torch's ReduceLROnPlateau.
    """

    name: ClassVar = "plateau"
    factor: Positive
    patience: Annotated[int, Field(ge=0)]


class OneCycle(Strict):
    """Step by step from `start` up to the peak in the first `warm_up` of all steps, then down to `end`.

    The peak is the recipe's learning rate; start, end: fractions of it; both ways are half a cosine. As torch's
    OneCycleLR; from L. N. Smith and N. Topin, arXiv:1708.07120.
    """

    name: ClassVar = "one_cycle"
    warm_up: Fraction = 0.3
    start: Annotated[float, Field(gt=0, le=1)] = 0.04
    end: Annotated[float, Field(ge=0, le=1)] = 0.0001


class Rotate(Strict):
    """Rotate each image about its centre by its own angle, uniform in ±degrees; nearest pixel; `fill` outside."""

    name: ClassVar = "rotate"
    degrees: Annotated[float, Field(gt=0, le=180)]
    fill: Annotated[int, Field(ge=0, le=255)] = 0


class CenterCrop(Strict):
    """With probability `p`, cut out the central size x size pixels and resize them, bilinearly, to the image."""

    name: ClassVar = "center_crop"
    size: Count
    p: Annotated[float, Field(ge=0, le=1)]


class Affine(Strict):
    """Turn, scale, shear and move each image at once, bilinearly, black outside; every image draws its own.

    degrees: turned about the centre by an angle in ±degrees. translate: moved by a whole number of pixels in
    ±translate on each axis. scale: enlarged by a factor in 1 ± scale. shear: sheared along x by an angle in
    ±shear, degrees. All are uniform.
    """

    name: ClassVar = "affine"
    degrees: Annotated[float, Field(ge=0, le=180)] = 0.0
    translate: Annotated[int, Field(ge=0, le=100)] = 0
    scale: Annotated[float, Field(ge=0, le=0.5)] = 0.0
    shear: Annotated[float, Field(ge=0, le=45)] = 0.0

    @model_validator(mode="after")
    def _moves_something(self):
        if not (self.degrees or self.translate or self.scale or self.shear):
            raise ValueError(f"nothing to do; give {', '.join(Affine.model_fields)} or several of them")
        return self


# A recipe says nothing of what it does without, so a key that is new changes no recipe, nor a run's digest, of before.
SAID_IF_SET = Field(exclude_if=operator.not_)


class Recipe(Strict):
    """All that decides a run's bytes, but for the data and the random seed."""

    rung: str = ""
    input: Input = Input()
    network: list[Layer] = Field(min_length=1)
    epochs: Epochs
    batch_size: BatchSize
    loss: Literal["nll", "cross_entropy", "l1"]
    label_smoothing: Annotated[Fraction, SAID_IF_SET] = 0.0
    optimizer: _one_of(Sgd, Adam)
    learning_rate: Positive
    schedule: _one_of(Constant, Step, Plateau, OneCycle) = Constant()
    augment: list[_one_of(Rotate, CenterCrop, Affine)] = []
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


class Source(Strict):
    project: str
    name: str


class Reported(Strict):
    """What the source's text says it reached; accuracies in percent."""

    parameters: Annotated[int, Field(ge=1)] | None = None
    train_accuracy: Percent | None = None
    test_accuracy: Percent | None = None
    test_is: Literal["best epoch", "last epoch"] = "best epoch"  # which of its epochs that accuracy is


class Card(Strict):
    """A card file as it is written: what it does not say, its parent says."""

    extends: str | None = None
    against: str | None = None  # the rung it is to beat, where that is not the one it extends
    title: str
    target: str
    source: Source | None = None
    reported: Reported | None = None
    differs: str | None = None  # what the source did differently from what it said
    input: dict | None = None
    network: list | None = None
    recipe: dict = {}

    @property
    def rival(self):
        """The rung it is judged against, or None."""
        return self.against or self.extends


class Overrides(Strict):
    """What may be set over the recipes of several rungs at once: null keeps the rung's own value."""

    epochs: Epochs | None = None
    batch_size: BatchSize | None = None
    learning_rate: Positive | None = None


class TrainOverrides(Overrides):
    """`train` in params.yaml."""

    holdout: Holdout | None = None
    portable: bool | None = None
    device: Literal["cpu", "cuda"] | None = None


class EvaluateParams(Strict):
    target: Percent


class Params(Strict):
    """params.yaml."""

    model: str
    seeds: Seeds
    train: TrainOverrides = TrainOverrides()
    evaluate: EvaluateParams


def read_params(path="params.yaml"):
    """Return the checked Params of a params.yaml. Raises LadderError."""
    return validated(Params, read_yaml(path), path)


def read_card(rung, cards=CARDS):
    """Return the Card of one rung, without its parent's part. Raises LadderError."""
    path = Path(cards) / f"{rung}.yaml"
    names = rung_names(cards)
    if rung not in names:
        raise LadderError(f"there is no rung {rung!r} in {cards}/; {nearest(rung, names)}")
    return validated(Card, read_yaml(path), path)


def rung_names(cards=CARDS):
    """Return the names of all rungs in their natural order."""
    names = [path.stem for path in Path(cards).glob("*.yaml")]
    return sorted(names, key=natural)


def natural(name):
    """Return a key that sorts net2 before net10."""
    return [int(part) if part.isdigit() else part for part in re.split(r"(\d+)", name)]


def resolve(rung, overrides=None, cards=CARDS):
    """Return the whole Recipe of a rung: its ancestors' keys, its own over them, then `overrides`.

    A key of `recipe:` or `input:` and the list `network:` replace the parent's whole. Raises LadderError.
    """
    merged = {"rung": rung}
    for name in reversed(lineage(rung, cards)):
        card = read_card(name, cards)
        _named(name, "against", cards)  # to check it
        if card.input is not None:
            merged["input"] = merged.get("input", {}) | card.input
        if card.network is not None:
            merged["network"] = card.network
        for key in card.recipe:
            if key in ("rung", "input", "network", "fingerprint", "portable", "device"):
                raise LadderError(f"{cards}/{name}.yaml: recipe: {key!r} is no key of a card's recipe")
        merged |= card.recipe
        recipe = validated(Recipe, merged, Path(cards) / f"{name}.yaml")  # so that a fault is told of its own file
    changed = overrides.model_dump(exclude_none=True) if overrides else {}
    return validated(Recipe, merged | changed, f"params.yaml: train, for rung {rung}") if changed else recipe


def lineage(rung, cards=CARDS):
    """Return the names [rung, its parent, its parent's parent, ...]. Raises LadderError on a circle."""
    names = [rung]
    while parent := _named(names[-1], "extends", cards):
        if parent in names:
            raise LadderError(f"{cards}/{names[-1]}.yaml: extends: a circle, {' -> '.join([*names, parent])}")
        names.append(parent)
    return names


def _named(rung, key, cards):
    """Return the rung that a card names under `key`, or None. Raises LadderError where there is no such rung."""
    name, names = getattr(read_card(rung, cards), key), rung_names(cards)
    if name is not None and name not in names:
        raise LadderError(f"{cards}/{rung}.yaml: {key}: there is no rung {name!r}; {nearest(name, names)}")
    return name


def read_recipe(path):
    """Return the Recipe in a recipe.yaml that `plan` wrote. Raises LadderError."""
    return validated(Recipe, read_yaml(path), path)


def recipe_content(recipe):
    """Return a Recipe as plain mappings and lists, keys in their order, as a card would say it."""
    return recipe.model_dump()


def nearest(name, names):
    """Return 'did you mean ...?' with the valid name most like `name`, or all names where none is like it."""
    close = difflib.get_close_matches(str(name), list(names), n=1)
    return f"did you mean {close[0]!r}?" if close else f"there are {', '.join(names)}"


def validated(model, content, path):
    """Return `content`, read from `path`, as a checked `model`. Raises LadderError that names path and key."""
    if not isinstance(content, dict):
        raise LadderError(f"{path}: expected keys and values, found {content!r}")
    try:
        return model.model_validate(content)
    except ValidationError as error:
        raise LadderError(f"{path}: {_first_line(error)}") from None


def _first_line(error):
    """Return 'key: what is wrong' for the first fault of a pydantic ValidationError."""
    fault = error.errors(include_url=False)[0]
    message = fault["msg"].removeprefix("Value error, ")
    if fault["type"] not in ("value_error", "missing"):
        message = f"{fault['input']!r} will not do: {message[0].lower()}{message[1:]}"
    where = _where(error)
    return f"{where}: {message}" if where else message


def _where(error):
    return ".".join(str(part) for part in error.errors(include_url=False)[0]["loc"])
