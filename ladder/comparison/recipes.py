"""What changed between two recipes, said as a person would: layer by layer, then key by key."""

import difflib
from collections.abc import Mapping

SHORT = 8  # letters of a fingerprint
LONGEST = 200  # letters of a value that is shown
MOST_LAYERS = 500  # that are matched one by one, which takes time with the square of their number


def recipe_changes(before: Mapping, after: Mapping) -> list[str]:
    """Return one phrase for each change between two recipes as recipe.yaml has them, the network's layers first.

    The name of the rung is no change of its recipe.
    """
    layers = [recipe.get("network") for recipe in (before, after)]
    phrases = network_changes(*(layer if isinstance(layer, list) else [layer] for layer in layers))
    keys = [key for key in {**before, **after} if key not in ("rung", "network", "fingerprint")]
    for key in keys:
        old, new = (value_text(recipe.get(key)) for recipe in (before, after))
        if old != new:
            phrases.append(f"{value_text(key)}: {old} → {new}")
    return phrases + _fingerprint_change(before, after)


def network_changes(before: list, after: list) -> list[str]:
    """Return one phrase for each layer that changed, was added or removed: 'layer 3: relu → gelu'.

    Layers count from 1. before, after: the layers as a card says them: a name, or {name: {argument: value}}.
    """
    old, new = ([value_text(layer) for layer in layers] for layers in (before, after))
    if max(len(old), len(new)) > MOST_LAYERS and old != new:
        return [f"network: {len(old):,} → {len(new):,} layers"]
    phrases = []
    for kind, start, end, new_start, new_end in difflib.SequenceMatcher(None, old, new, autojunk=False).get_opcodes():
        if kind != "equal":
            phrases += _layer_changes(old, new, range(start, end), range(new_start, new_end))
    return phrases


def value_text(value: object) -> str:
    """Return a value of a recipe in words: `{conv: {out: 4, kernel: 3}}` is 'conv out 4, kernel 3'."""
    text = "none" if value in (None, [], {}) else _words(value)
    return text if len(text) <= LONGEST else f"{text[:LONGEST]}…"


def _layer_changes(old, new, before, after):
    """Return the phrases on a stretch of the old network that another stretch replaces. before, after: its places."""
    both = list(zip(before, after, strict=False))
    phrases = [f"{_layer(place, other)}: {old[place]} → {new[other]}" for place, other in both]
    phrases += [f"layer {place + 1} removed: {old[place]}" for place in before[len(both) :]]
    return phrases + [f"layer {place + 1} added: {new[place]}" for place in after[len(both) :]]


def _layer(before, after):
    moved = f" (now {after + 1})" if after != before else ""
    return f"layer {before + 1}{moved}"


def _words(value):
    if isinstance(value, dict):
        return ", ".join(f"{key} {_words(part)}".strip() for key, part in value.items())
    if isinstance(value, list):
        return "; ".join(_words(part) for part in value)
    if isinstance(value, bool):
        return "yes" if value else "no"
    return str(value)


def _fingerprint_change(before, after):
    """Return a phrase on the fingerprint, the hash of a miniature run, which changes with most other keys."""
    old, new = (str(recipe.get("fingerprint", "none"))[:SHORT] for recipe in (before, after))
    return [] if old == new else [f"fingerprint: {old} → {new}"]
