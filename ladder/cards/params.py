"""params.yaml: the rung to train, how many seeds, and what may be set over its recipe."""

from pathlib import Path
from typing import Literal

from ladder.cards.schema import BatchSize, Epochs, Holdout, Percent, Positive, RungName, Seeds, Strict, validated
from ladder.files import read_yaml
from ladder.paths import DEFAULT_DATA


class Overrides(Strict):
    """What may be set over the recipes of several rungs at once: null keeps the rung's own value."""

    epochs: Epochs | None = None
    batch_size: BatchSize | None = None
    learning_rate: Positive | None = None


class TrainOverrides(Overrides):
    """`train` in params.yaml."""

    holdout: Holdout | None = None
    device: Literal["cpu", "cuda"] | None = None


class EvaluateParams(Strict):
    """`evaluate` in params.yaml. target: None is the data set's own."""

    target: Percent | None = None


class Params(Strict):
    """params.yaml."""

    data: RungName = DEFAULT_DATA
    model: RungName
    seeds: Seeds
    train: TrainOverrides = TrainOverrides()
    evaluate: EvaluateParams = EvaluateParams()


def read_params(path: str | Path = "params.yaml") -> Params:
    """Return the checked Params of a params.yaml. Raises LadderError."""
    return validated(Params, read_yaml(path), path)
