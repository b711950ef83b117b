"""How a card is checked: mappings whose keys and types are all known, and faults told in one line."""

import difflib
from typing import Annotated, Any

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PlainSerializer,
    ValidationError,
    model_validator,
)

from ladder.exceptions import LadderError

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


def one_of(*kinds):
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
