"""What changed between two recipes, said as a person would: layer by layer, then key by key."""

import difflib
from collections.abc import Mapping

from ladder import cards
from ladder.exceptions import LadderError

CODE = ("rung", "fingerprint", "bits")  # keys that say nothing of what a recipe asks for
SHORT = 8  # letters of a fingerprint
LONGEST = 200  # letters of a value that is shown
MOST_LAYERS = 500  # that are matched one by one, which takes time with the square of their number
MOST_WORDS = 5 * MOST_LAYERS  # with their arguments


def recipe_changes(before: Mapping, after: Mapping) -> list[str]:
    """Return one phrase for each change between two recipes as recipe.yaml has them, the network's layers first.

    The name of the rung is no change of its recipe.
    """
    phrases = network_changes(before, after)
    keys = [key for key in {**before, **after} if key not in ("rung", "network", "fingerprint")]
    for key in keys:
        old, new = (recipe.get(key) for recipe in (before, after))
        if _words(old) != _words(new):
            phrases.append(f"{value_text(key)}: {value_text(old)} → {value_text(new)}")
    return phrases + _fingerprint_change(before, after)


def of_another_version(recipe: Mapping) -> bool:
    """Return whether a recipe has keys that no recipe of this version has: another version computed its results."""
    return bool(recipe.keys() - cards.Recipe.model_fields.keys())


def one_recipe(before: Mapping, after: Mapping) -> bool:
    """Return whether two recipes say the same, and only the code that ran them differed, as their fingerprints tell."""
    said = [{key: of.get(key) for key in cards.Recipe.model_fields if key not in CODE} for of in (before, after)]
    return said[0] == said[1] and before.get("fingerprint") != after.get("fingerprint")


def network_changes(before: Mapping, after: Mapping) -> list[str]:
    """Return one phrase for each layer that changed: `ladder.cards.network_changes`, where it can read both recipes.

    It cannot read the words of other versions. Then the layers of the list `network` are compared as they are written.
    """
    if before.get("network") == after.get("network"):
        return []
    layers = [recipe.get("network") for recipe in (before, after)]
    layers = [of if isinstance(of, list) else [of] for of in layers]
    try:
        if max(map(_size, layers)) <= MOST_WORDS:
            recipes = (cards.validated(cards.Recipe, dict(recipe), "recipe.yaml") for recipe in (before, after))
            return cards.network_changes(*recipes)
    except (LadderError, ValueError):
        pass  # told below as it is written
    return written_changes(*layers)


def written_changes(before: list, after: list) -> list[str]:
    """Return one phrase for each layer that changed, is new or is gone: 'layer 3: relu → gelu'.

    Layers count from 1. before, after: the layers as a recipe has them: a name, or {name: {argument: value}}.
    """
    if max(len(before), len(after)) > MOST_LAYERS:
        return [f"network: {len(before):,} → {len(after):,} layers"]
    old, new = ([_words(layer) for layer in layers] for layers in (before, after))
    phrases = []
    for kind, start, end, new_start, new_end in difflib.SequenceMatcher(None, old, new, autojunk=False).get_opcodes():
        if kind != "equal":
            phrases += _layer_changes(before, after, range(start, end), range(new_start, new_end))
    return phrases


def value_text(value: object) -> str:
    """Return a value of a recipe in words: `{conv: {out: 4, kernel: 3}}` is 'conv out 4, kernel 3'."""
    text = _words(value)
    return text if len(text) <= LONGEST else f"{text[:LONGEST]}…"


def _size(value):
    """Return how many words and numbers a value holds, within other lists and mappings too."""
    parts = value.values() if isinstance(value, dict) else value
    return sum(map(_size, parts)) if isinstance(value, list | dict) else 1


def _layer_changes(old, new, before, after):
    """Return the phrases on a stretch of the old network that another stretch replaces. before, after: its places."""
    both = list(zip(before, after, strict=False))
    phrases = [f"{_layer(*pair)}: {value_text(old[pair[0]])} → {value_text(new[pair[1]])}" for pair in both]
    phrases += [f"layer {place + 1} is gone: {value_text(old[place])}" for place in before[len(both) :]]
    return phrases + [f"layer {place + 1} is new: {value_text(new[place])}" for place in after[len(both) :]]


def _layer(before, after):
    moved = f" (was {before + 1})" if after != before else ""
    return f"layer {after + 1}{moved}"


def _words(value):
    if value in (None, [], {}):
        return "none"
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
