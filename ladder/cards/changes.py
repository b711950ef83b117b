"""Changes to a network: those that a card asks for, and those between two recipes, layer by layer.

Layers are counted from 1, and `3.1` is the first one inside layer 3, as in reports/model.md.
"""

import difflib
import re
from collections.abc import Iterator
from typing import Annotated, Any

from pydantic import BeforeValidator, Field, ValidationError, model_validator

from ladder.cards.operations import Layer, Operation
from ladder.cards.recipe import Recipe
from ladder.cards.schema import Strict, fault_line, nearest, words_of
from ladder.cards.shapes import layer_table, parameters, with_inside


def _which(key: Any) -> str:
    """Return what names one layer or several: a number as text, or an operation's word. Raises ValueError."""
    if isinstance(key, int) and not isinstance(key, bool) and key >= 0:
        return str(key)
    if isinstance(key, float):
        raise ValueError(f"{key!r} is no layer's number; put the number of a layer within a layer in quotes, '{key}'")
    words = words_of(Operation)
    if isinstance(key, str) and (key in words or re.fullmatch(r"\d+(\.\d+)*", key)):
        return key
    raise ValueError(f"{key!r} is neither a layer's number nor an operation; {nearest(key, words)}")


def _by_layer(value: Any) -> Any:
    if not isinstance(value, dict):
        return value
    keys = [_which(key) for key in value]
    if len(set(keys)) < len(keys):
        raise ValueError("a layer is named twice")
    return dict(zip(keys, value.values(), strict=True))


def _as_list(value: Any) -> Any:
    return value if isinstance(value, list) else [value]


Layers = Annotated[list[Layer], Field(min_length=1), BeforeValidator(_as_list)]
ByLayer = Annotated[dict[str, Layers], BeforeValidator(_by_layer)]
WhichLayers = Annotated[list[Annotated[str, BeforeValidator(_which)]], BeforeValidator(_as_list)]


class Changes(Strict):
    """What a card changes in its parent's network. All numbers are those of the parent's layers."""

    replace: ByLayer = Field({}, description="the layer, or the list of layers, that takes a layer's place")
    insert_after: ByLayer = Field({}, description="the layer, or the list of layers, behind a layer; 0: the front")
    remove: WhichLayers = Field([], description="the layers that are left out")

    @model_validator(mode="after")
    def _not_empty_nor_contrary(self):
        if not (self.replace or self.insert_after or self.remove):
            raise ValueError(f"no changes; give one or several of {', '.join(Changes.model_fields)}")
        for which in self.replace.keys() & set(self.remove):
            raise ValueError(f"{f'layer {which}' if which[0].isdigit() else which} is both replaced and removed")
        return self

    def apply(self, network: list[Operation]) -> list[Operation]:
        """Return the changed network. Raises ValueError where a change names no layer, or a layer is changed twice."""
        used, fronts = set(), set()
        changed = self._sequence(network, "", used, fronts)
        for which in [*self.replace, *self.remove, *(self.insert_after.keys() - fronts)]:
            if which not in used:
                raise ValueError(_no_such_layer(which, network))
        if changed == network:
            raise ValueError("nothing is changed")
        return changed

    def _sequence(self, layers: list[Operation], prefix: str, used: set[str], fronts: set[str]) -> list[Operation]:
        """Return a sequence with its changes. prefix: "3." inside layer 3.

        used, fronts: take the names of the layers that a change could mean, and of the places in front of them.
        """
        changed = list(self.insert_after.get(f"{prefix}0", []))
        fronts.add(f"{prefix}0")
        for position, layer in enumerate(layers, start=1):
            number = f"{prefix}{position}"
            used |= {number, layer.name}
            changed += self._in_place_of(layer, number, used, fronts)
            changed += _only(self.insert_after, layer, number, "insert_after") or []
        return changed

    def _in_place_of(self, layer: Operation, number: str, used: set[str], fronts: set[str]) -> list[Operation]:
        """Return what stands where a layer stood: the layer, what replaces it, or nothing."""
        edits = self.replace | {which: [] for which in self.remove}
        edit = _only(edits, layer, number, "replace and remove")
        if edit is not None:
            return edit
        if not layer.inside:
            return [layer]
        inside = self._sequence(layer.inside, f"{number}.", used, fronts)
        if not inside:
            raise ValueError(f"layer {number}, {layer.name}, would have no layers left; remove it instead")
        try:
            return [type(layer).model_validate({**dict(layer), layer.sole: inside})]
        except ValidationError as error:
            raise ValueError(f"layer {number}, {layer.name}: {fault_line(error)}") from None


def _only(edits: dict[str, list], layer: Operation, number: str, what: str) -> list[Operation] | None:
    """Return the one edit that names a layer, by its number or by its word, or None."""
    found = [edits[which] for which in (number, layer.name) if which in edits]
    if len(found) > 1:
        raise ValueError(f"{what}: layer {number}, {layer.name}, is named by its number and by its word")
    return found[0] if found else None


def _no_such_layer(which: str, network: list[Operation]) -> str:
    if which[0].isdigit():
        return f"there is no layer {which} to change; the parent's layers are 1 to {len(network)}"
    words = {layer.name: None for layer in network}
    return f"the parent's network has no {which}; it has {', '.join(words)}"


def network_changes(before: Recipe, after: Recipe) -> list[str]:
    """Return one line for each layer that differs between two recipes' networks, and one for their parameters.

    Lines are such as `layer 3: relu → gelu`, `layer 7 is new: dropout p 0.1`, `layer 5 is gone: tanh` (with its number
    before) and `parameters: 7,804 → 7,834`. There is no line where nothing differs. Networks that have less than half
    of their layers in common get one line: `another network: 27 layers → 13 layers`.
    """
    old, new = _numbered(before), _numbered(after)
    matcher = _matcher(old, new)
    if matcher.ratio() < 0.5:
        lines = [f"another network: {len(old)} layers → {len(new)} layers"]
    else:
        lines = [_line(*pair) for pair in _pairs(matcher, old, new)]
    counts = [parameters(recipe) for recipe in (before, after)]
    if counts[0] != counts[1]:
        lines.append(f"parameters: {counts[0]:,} → {counts[1]:,}")
    return lines


def said(layer: Operation) -> str:
    """Return a layer as one line of text: `conv out 12 kernel 6 bias`. The layers inside it are left out."""
    arguments = layer.model_dump(exclude_defaults=True, exclude={layer.sole} if layer.inside else None)
    return " ".join([layer.name, *(f"{key} {value}" for key, value in arguments.items())]).replace("bias True", "bias")


Numbered = tuple[str, str]  # a layer's number and what it is


def _numbered(recipe: Recipe) -> list[Numbered]:
    return [(row.number, said(row.layer)) for row in with_inside(layer_table(recipe))]


def _matcher(before: list[Numbered], after: list[Numbered]) -> difflib.SequenceMatcher:
    """Return what compares two networks; a layer that moved into another one is not the same."""
    texts = [[(number.count("."), text) for number, text in layers] for layers in (before, after)]
    return difflib.SequenceMatcher(None, *texts, autojunk=False)


def _pairs(
    matcher: difflib.SequenceMatcher, before: list[Numbered], after: list[Numbered]
) -> Iterator[tuple[Numbered | None, Numbered | None]]:
    """Yield (layer before, layer after) for each that differs; None where there is none."""
    for kind, start, stop, new_start, new_stop in matcher.get_opcodes():
        old, new = before[start:stop], after[new_start:new_stop]
        if kind == "replace" and len(old) == len(new):
            yield from zip(old, new, strict=True)
        elif kind != "equal":
            yield from ((layer, None) for layer in old)
            yield from ((None, layer) for layer in new)


def _line(before: Numbered | None, after: Numbered | None) -> str:
    if after is None:
        return f"layer {before[0]} is gone: {before[1]}"
    if before is None:
        return f"layer {after[0]} is new: {after[1]}"
    moved = "" if before[0] == after[0] else f" (was {before[0]})"
    return f"layer {after[0]}{moved}: {before[1]} → {after[1]}"
