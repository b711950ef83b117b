"""What a rung, a candidate of a search or any other thing that a user names may be called.

A name becomes a file's name, an argument of a command and a part of a DVC stage's name. The pattern keeps it in its
folder, and apart from options and from all that means something to a shell.
"""

import re
from pathlib import Path
from typing import Any

from ladder.exceptions import LadderError, cut

PATTERN = re.compile(r"[A-Za-z0-9](\.?[A-Za-z0-9_-])*")
LONGEST = 60
RULE = f"a name has up to {LONGEST} letters (a to z), digits, '-', '_', single dots; a letter or a digit comes first"


def is_name(name: Any) -> bool:
    """Return whether a value is a text that may be a name."""
    return isinstance(name, str) and len(name) <= LONGEST and PATTERN.fullmatch(name) is not None


def is_rung(name: str) -> bool:
    """Return whether a text may be the name of a rung, `net9`, or of one on a further data set, `<data set>/net9`."""
    parts = name.split("/")
    return len(parts) <= 2 and all(map(is_name, parts))


def check_name(name: Any, where: str) -> str:
    """Return `name` if it may be one. Raises LadderError that begins with `where` otherwise."""
    if not is_name(name):
        raise LadderError(f"{where}: {refusal(name)}")
    return name


def refusal(name: Any) -> str:
    """Return why a value is no name, on one line."""
    return f"{cut(repr(name), LONGEST)} is not a valid name; {RULE}"


def card_names(folder: str | Path) -> list[str]:
    """Return the names of the cards in a folder, <name>.yaml each, in no order.

    Raises LadderError where one is not valid, and where the folder cannot be read.
    """
    try:
        paths = [path for path in Path(folder).iterdir() if path.suffix == ".yaml" and not path.name.startswith(".")]
    except FileNotFoundError:
        raise LadderError(f"there is no folder {folder}/; start in the repository's top folder") from None
    except OSError as error:
        raise LadderError(f"{folder}/: cannot be read: {error.strerror}") from None
    return [check_name(path.stem, f"{folder}/") for path in paths]
