"""Rung cards: small YAML files that say what to train, and the recipe they resolve to.

A card is data. It may extend another card; the recipe is whole.
"""

import re
from pathlib import Path
from typing import Annotated, Literal

from pydantic import (
    Field,
)

from ladder.cards.recipe import Recipe
from ladder.cards.schema import Percent, Strict, nearest, validated
from ladder.exceptions import LadderError
from ladder.files import read_yaml

CARDS = Path("rungs/cards")


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
    recipe: dict = {}  # noqa: RUF012 (pydantic copies it)

    @property
    def rival(self):
        """The rung it is judged against, or None."""
        return self.against or self.extends


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
