"""Rung cards: small YAML files that say what to train, and the recipe they resolve to.

A card is data. It may extend another card; the recipe is whole.
"""

import re
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, ValidationError

from ladder.cards.changes import Changes
from ladder.cards.params import Overrides
from ladder.cards.recipe import Recipe
from ladder.cards.schema import Percent, RungName, Strict, fault_line, nearest, validated
from ladder.exceptions import LadderError
from ladder.files import read_yaml
from ladder.names import card_names

CARDS = Path("rungs/cards")
NOT_IN_A_CARDS_RECIPE = ("rung", "data", "images", "input", "network", "bits", "fingerprint", "device")


class Source(Strict):
    """Where a rung that rebuilds somebody's experiment is from."""

    project: Annotated[str, Field(description="the source's number, see README.md")]
    name: Annotated[str, Field(description="the experiment's name there")]


class Reported(Strict):
    """What the source says it reached; accuracies in percent."""

    parameters: Annotated[int | None, Field(ge=1, description="of its network")] = None
    train_accuracy: Annotated[Percent | None, Field(description="on training images")] = None
    test_accuracy: Annotated[Percent | None, Field(description="on test images")] = None
    test_is: Annotated[
        Literal["best epoch", "last epoch"], Field(description="which of its epochs has that test accuracy")
    ] = "best epoch"


def _network(value: Any) -> Any:
    """Return a card's network as it is if it is a list, and Changes if it is a mapping. Raises ValueError."""
    if isinstance(value, list | Changes | None):
        return value
    if not isinstance(value, dict):
        raise ValueError(f"{value!r:.60} will not do: give a list of layers, or changes to the parent's network")
    try:
        return Changes.model_validate(value)
    except ValidationError as error:
        raise ValueError(fault_line(error)) from None


class Card(Strict):
    """A card file as it is written: what it does not say, its parent says."""

    extends: Annotated[RungName | None, Field(description="the parent's name")] = None
    against: Annotated[
        RungName | None, Field(description="the rung that this one is judged against, where that is not its parent")
    ] = None
    title: Annotated[str, Field(description="what the step is")]
    goal: Annotated[str, Field(description="what the step is for")]
    source: Annotated[Source | None, Field(description="where the rung is from, if it rebuilds somebody's")] = None
    reported: Annotated[Reported | None, Field(description="what the source reported")] = None
    differs: Annotated[str | None, Field(description="what the source did differently from what it said")] = None
    input: Annotated[dict | None, Field(description="what the network sees, see below")] = None
    network: Annotated[
        Any, BeforeValidator(_network), Field(description="a list of layers, or changes to the parent's, see below")
    ] = None
    recipe: dict = Field({}, description="how the network is trained, see below")

    @property
    def baseline(self) -> str | None:
        """The name of the rung it is judged against, or None."""
        return self.against or self.extends


def read_card(rung: str, cards: str | Path = CARDS) -> Card:
    """Return the Card of one rung, without its parent's part. Raises LadderError."""
    path = Path(cards) / f"{rung}.yaml"
    names = rung_names(cards)
    if rung not in names:
        raise LadderError(f"there is no rung {rung!r} in {cards}/; {nearest(rung, names)}")
    return validated(Card, _read(path), path)


def _read(path: Path) -> Any:
    """Return the content of a card's file. Raises LadderError where it is no plain file of its own folder."""
    if not path.is_file():
        raise LadderError(f"{path}: a card must be a plain file")  # reading a named pipe would never end
    if path.resolve().parent != path.parent.resolve():
        raise LadderError(f"{path}: a card must not be a link to a file outside its folder")
    try:
        return read_yaml(path)
    except RecursionError:
        raise LadderError(f"{path}: lists and mappings are nested too deeply") from None
    except OSError as error:
        raise LadderError(f"{path}: cannot be read: {error.strerror}") from None


def rung_names(cards: str | Path = CARDS) -> list[str]:
    """Return the names of all rungs in their natural order. Raises LadderError for a file with an invalid name."""
    return sorted(card_names(cards), key=natural)


def natural(name: str) -> list[str | int]:
    """Return a key that sorts net2 before net10."""
    return [int(part) if part.isdecimal() else part for part in re.split(r"(\d+)", name)]


def resolve(
    rung: str, overrides: Overrides | None = None, cards: str | Path = CARDS, data: dict | None = None
) -> Recipe:
    """Return the whole Recipe of a rung: what its data set says, its ancestors' keys, its own over them, `overrides`.

    data: the part_of_recipes of a DataSet; None is the default one. A key of `recipe:` or `input:` and the list
    `network:` replace the parent's whole; a mapping `network:` changes the parent's list. Raises LadderError.
    """
    merged, recipe = {"rung": rung} | (data or {}), None
    for name in reversed(lineage(rung, cards)):
        path = Path(cards) / f"{name}.yaml"
        card = read_card(name, cards)
        _named(name, "against", cards)  # to check it
        merged |= _said(card, merged, recipe, path)
        recipe = validated(Recipe, merged, path)  # so that a fault is told of its own file
    changed = overrides.model_dump(exclude_none=True) if overrides else {}
    return validated(Recipe, merged | changed, f"params.yaml: train, for rung {rung}") if changed else recipe


def _said(card: Card, merged: dict, parent: Recipe | None, path: Path) -> dict:
    """Return the keys of a recipe that a card gives. merged: its ancestors' keys; parent: their Recipe, if any."""
    given = {}
    if card.input is not None:
        given["input"] = merged.get("input", {}) | card.input
    if isinstance(card.network, Changes):
        if parent is None:
            raise LadderError(f"{path}: network: only a card that extends another can change its network")
        try:
            given["network"] = card.network.apply(parent.network)
        except ValueError as error:
            raise LadderError(f"{path}: network: {error}") from None
    elif card.network is not None:
        given["network"] = card.network
    for key in card.recipe:
        if key in NOT_IN_A_CARDS_RECIPE:
            raise LadderError(f"{path}: recipe: {key!r} is no key of a card's recipe")
    return given | card.recipe


def lineage(rung: str, cards: str | Path = CARDS) -> list[str]:
    """Return the names [rung, its parent, its parent's parent, ...]. Raises LadderError on a circle."""
    names = [rung]
    while parent := _named(names[-1], "extends", cards):
        if parent in names:
            raise LadderError(f"{cards}/{names[-1]}.yaml: extends: a circle, {' -> '.join([*names, parent])}")
        names.append(parent)
    return names


def _named(rung: str, key: str, cards: str | Path) -> str | None:
    """Return the rung that a card names under `key`, or None. Raises LadderError where there is no such rung."""
    name = getattr(read_card(rung, cards), key)
    if name is not None and name not in (names := rung_names(cards)):
        raise LadderError(f"{cards}/{rung}.yaml: {key}: there is no rung {name!r}; {nearest(name, names)}")
    if key == "against" and name == rung:
        raise LadderError(f"{cards}/{rung}.yaml: against: a rung cannot be judged against itself")
    return name
