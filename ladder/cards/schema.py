"""How a card is checked: all keys, types and words are known, and a fault is told in one line."""

import difflib
from collections.abc import Iterable
from pathlib import Path
from typing import Annotated, Any, ClassVar, TypeVar

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PlainSerializer,
    ValidationError,
    model_validator,
)

from ladder.exceptions import LadderError, cut
from ladder.names import is_name, refusal

Count = Annotated[int, Field(ge=1, le=1_000_000)]
Epochs = Annotated[int, Field(ge=1, le=1000)]
BatchSize = Annotated[int, Field(ge=2, le=10000)]
Holdout = Annotated[int, Field(ge=0, le=30000, multiple_of=10)]  # training images kept back
Seeds = Annotated[int, Field(ge=1, le=100)]
Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]
Fraction = Annotated[float, Field(ge=0, lt=1)]
Percent = Annotated[float, Field(ge=0, le=100)]

SHOWN = 60  # characters of a faulty value that a message repeats
HOLD_LAYERS = {"network", "layers", "replace", "insert_after"}  # keys whose lists' items a message calls layers


def _name(value: str) -> str:
    if not is_name(value):
        raise ValueError(refusal(value))
    return value


RungName = Annotated[str, AfterValidator(_name)]


class Strict(BaseModel):
    """A mapping whose keys and types are all known; the message for a misspelt key gives the nearest valid one."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)

    @model_validator(mode="before")
    @classmethod
    def _known_keys(cls, value: Any) -> Any:
        if isinstance(value, dict):
            for key in value:
                if key not in cls.model_fields:
                    raise ValueError(f"unknown key {cut(repr(key), SHOWN)}; {nearest(key, cls.model_fields)}")
        return value


class Word(Strict):
    """A word of the language: a class with the word's name, its arguments as fields, and its meaning.

    A card writes `name` or `{name: {argument: value}}`. Where `sole` names an argument, a card writes `{name: value}`
    for that argument. A subclass with a `name` is a word from then on; nothing else has to list it.
    """

    name: ClassVar[str]
    sole: ClassVar[str | None] = None

    @model_validator(mode="before")
    @classmethod
    def _sole_argument(cls, value: Any) -> Any:
        return {cls.sole: value} if cls.sole and not isinstance(value, dict) else value

    def written(self) -> str | dict:
        """Return the word as a card writes it, without arguments that have their default value."""
        arguments = self.model_dump(exclude_defaults=True)
        if self.sole:
            arguments = arguments[self.sole]
        return {self.name: arguments} if arguments else self.name


Kind = TypeVar("Kind", bound=Word)


def words_of(kind: type[Kind]) -> dict[str, type[Kind]]:
    """Return {name: class} of all words of a kind, such as Operation, in the order of their definition."""
    words = {}
    for child in kind.__subclasses__():
        if "name" in vars(child):
            words[child.name] = child
        words |= words_of(child)
    return words


def one_of(kind: type[Kind]) -> Any:
    """Return a field's type for one word of a kind, read from `name` or `{name: arguments}` and written so."""

    def read(value: Any) -> Kind:
        if isinstance(value, kind):
            return value
        name, arguments = next(iter(value.items())) if isinstance(value, dict) and len(value) == 1 else (value, {})
        if not isinstance(name, str):
            raise ValueError(f"expected a name or one `name: {{...}}`, not {cut(repr(value), SHOWN)}")
        words = words_of(kind)
        if name not in words:
            raise ValueError(f"unknown name {cut(repr(name), SHOWN)}; {nearest(name, words)}")
        try:
            return words[name].model_validate(arguments)
        except ValidationError as error:
            raise ValueError(fault_line(error, (name,)).replace(f"{name}.{words[name].sole}:", f"{name}:")) from None

    return Annotated[Any, BeforeValidator(read), PlainSerializer(lambda word: word.written())]


def nearest(name: object, names: Iterable[str]) -> str:
    """Return 'did you mean ...?' with the valid name most like `name`, or all names where none is like it."""
    names = list(names)
    close = difflib.get_close_matches(str(name), names, n=1)
    return f"did you mean {close[0]!r}?" if close else f"there are {', '.join(names) or 'none'}"


Model = TypeVar("Model", bound=BaseModel)


def validated(model: type[Model], content: Any, path: str | Path) -> Model:
    """Return `content`, read from `path`, as a checked `model`. Raises LadderError that names path and key."""
    if not isinstance(content, dict):
        raise LadderError(f"{path}: expected keys and values, found {cut(repr(content), SHOWN)}")
    try:
        return model.model_validate(content)
    except ValidationError as error:
        raise LadderError(f"{path}: {fault_line(error)}") from None
    except RecursionError:
        raise LadderError(f"{path}: lists and mappings are nested too deeply") from None


def fault_line(error: ValidationError, within: tuple[str | int, ...] = ()) -> str:
    """Return 'key: what is wrong' for the first fault of a ValidationError; `within`: the keys that lead to it."""
    fault = error.errors(include_url=False)[0]
    message = fault["msg"].removeprefix("Value error, ")
    if fault["type"] not in ("value_error", "missing"):
        message = f"{cut(repr(fault['input']), SHOWN)} will not do: {message[0].lower()}{message[1:]}"
    where = _where((*within, *fault["loc"]))
    return f"{where}: {message}" if where else message


def _where(keys: tuple[str | int, ...]) -> str:
    """Return a fault's keys as text: `input.std`, or `network: layer 1`, since people count a list's items from 1."""
    text = ""
    for position, key in enumerate(keys):
        if isinstance(key, int) and "[key]" not in keys[position + 1 :]:
            item = "layer" if HOLD_LAYERS.intersection(keys[:position]) else "item"
            text += f"{': ' if text else ''}{item} {key + 1}"
        elif key != "[key]":
            text += f"{'.' if text and not isinstance(keys[position - 1], int) else ': ' if text else ''}{key}"
    return text
