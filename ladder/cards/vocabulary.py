"""docs/vocabulary.md: all that a card can say, made from the classes that mean it.

python -m ladder.cards.vocabulary > docs/vocabulary.md
"""

import re
from collections.abc import Iterator
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from annotated_types import Ge, Gt, Le, Lt, MultipleOf
from pydantic.fields import FieldInfo

from ladder.cards.augmentations import Augmentation
from ladder.cards.card import NOT_IN_A_CARDS_RECIPE, Card, Reported, Source
from ladder.cards.changes import Changes
from ladder.cards.losses import Loss
from ladder.cards.operations import Operation
from ladder.cards.optimizers import Optimizer
from ladder.cards.recipe import Input, Recipe
from ladder.cards.schedules import Schedule
from ladder.cards.schema import Strict, Word, words_of

TYPES = {int: "whole number", float: "number", bool: "true or false", str: "text"}
LIMITS = {
    Ge: lambda limit: f"≥ {limit.ge:,}",
    Gt: lambda limit: f"> {limit.gt:,}",
    Le: lambda limit: f"≤ {limit.le:,}",
    Lt: lambda limit: f"< {limit.lt:,}",
    MultipleOf: lambda limit: f"a multiple of {limit.multiple_of}",
}

HEAD = """# What a card can say

<!-- Made by `python -m ladder.cards.vocabulary` from the classes in ladder/cards/; a test fails where it is stale. -->

A card is a YAML file in `rungs/cards/`. It says only what it changes from the card that it `extends`. A key of `input:`
or of `recipe:` replaces the parent's; so does `network:` if it is a list. A word without arguments is written as
`relu`, one with arguments as `dropout: {p: 0.1}`. `reports/model.md` shows the network that comes out, layer by layer,
and what changed.
"""
CHANGES = """A small idea is a small card. This one trains `sprint` with GELU instead of ReLU:

```yaml
extends: sprint
title: GELU
goal: Find out whether GELU is better than ReLU.
network: {replace: {relu: gelu}}
```

A layer is named by its number, as `reports/model.md` counts it. A word, such as `relu`, names all layers of that kind,
also those inside another layer. All numbers are those of the parent's network, however many changes there are. `'3.1'`,
in quotes, is the first layer inside layer 3.

```yaml
network:
  replace: {3: silu, 7: {max_pool: {kernel: 2}}}
  insert_after:
    6: [{residual: [{conv: {out: 20, kernel: 3, padding: 1}}, batch_norm, relu]}, {dropout: {p: 0.05}}]
  remove: [9, 10]
```
"""


def vocabulary() -> str:
    """Return docs/vocabulary.md as text."""
    own = [key for key in Recipe.model_fields if key not in NOT_IN_A_CARDS_RECIPE]
    parts = [
        HEAD,
        *_keys("The card", Card, Card.model_fields),
        *_keys("`input`", Input, Input.model_fields),
        *_keys("`recipe`", None, own, Recipe),
        *_words("`network`: the operations", Operation),
        *_keys("`network`: changes to the parent's", Changes, Changes.model_fields),
        CHANGES,
        *_words("`loss`", Loss),
        *_words("`optimizer`", Optimizer),
        *_words("`schedule`", Schedule),
        *_words("`augment`", Augmentation),
        *_keys("`source`", Source, Source.model_fields),
        *_keys("`reported`", Reported, Reported.model_fields),
    ]
    return "\n".join(parts)


def _keys(title: str, about: type[Strict] | None, keys: Any, of: type[Strict] | None = None) -> Iterator[str]:
    """Yield the lines of a section with a table of keys. about: the class whose docstring opens it."""
    yield f"## {title}\n"
    if about:
        yield f"{_text(about)}\n"
    yield "| key | value | default | meaning |\n|---|---|---|---|"
    for key in keys:
        field = (of or about).model_fields[key]
        yield f"| `{key}` | {_values(field)} | {_default(field)} | {field.description or ''} |"
    yield ""


def _words(title: str, kind: type[Word]) -> Iterator[str]:
    """Yield the lines of a section with a table of the words of a kind."""
    yield f"## {title}\n\n{_text(kind)}\n\n| word | arguments | meaning |\n|---|---|---|"
    for name, word in words_of(kind).items():
        yield f"| `{name}` | {'; '.join(_argument(word, key) for key in word.model_fields)} | {_text(word)} |"
    yield ""


def _argument(word: type[Word], key: str) -> str:
    """Return an argument as `padding` = 0: whole number ≥ 0, ≤ 1000."""
    field = word.model_fields[key]
    if key == word.sole:
        return "a list of layers"
    default = _default(field)
    return f"`{key}`{f' = {default}' if default else ''}: {_values(field)}"


def _default(field: FieldInfo) -> str:
    if field.is_required():
        return ""
    value = field.default
    if isinstance(value, Word):
        return value.name
    if isinstance(value, bool):
        return str(value).lower()
    return str(value) if isinstance(value, int | float | str) else ""


def _values(field: FieldInfo) -> str:
    """Return a field's type and range as text."""
    kind, limits = _unwrapped(field.annotation, field.metadata)
    if get_origin(kind) is Literal:
        return " or ".join(f"`{value}`" for value in get_args(kind))
    texts = [LIMITS[type(limit)](limit) for limit in limits if type(limit) in LIMITS]
    return " ".join([TYPES.get(kind, ""), ", ".join(texts)]).strip()


def _unwrapped(kind: Any, limits: list) -> tuple[Any, list]:
    """Return (type, limits) of an annotation, without `| None`, Annotated and pydantic's own wrapping."""
    if get_origin(kind) in (Union, UnionType):
        kind = next(part for part in get_args(kind) if part is not NoneType)
    if get_origin(kind) is Annotated:
        return _unwrapped(kind.__origin__, [*limits, *kind.__metadata__])
    return kind, [part for limit in limits for part in getattr(limit, "metadata", [limit])]


def _text(of: type) -> str:
    """Return a class's docstring on one line."""
    return re.sub(r"\s+", " ", of.__doc__.strip()).replace("|", r"\|")


if __name__ == "__main__":
    print(vocabulary(), end="")
