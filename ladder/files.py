"""Files: whole or absent; YAML as DVC reads it, and CSV."""

import copy
import csv
import errno
import functools
import io
import os
import re
import secrets
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import yaml
from ruamel.yaml import YAML
from ruamel.yaml.composer import Composer, ComposerError, MaxDepthExceededError
from ruamel.yaml.constructor import DuplicateKeyError
from ruamel.yaml.error import MarkedYAMLError, YAMLError

from ladder.exceptions import LadderError, cut

# Far above any file of this project: a card has about 1,000 bytes, the longest lock file 90,000. The reader takes a
# second for 150,000.
LARGEST_YAML = 500_000  # bytes
DEEPEST_YAML = 50  # brackets or indents within each other
SHOWN = 200  # characters of a fault that a message repeats


@contextmanager
def replacing(path: str | Path) -> Iterator[Path]:
    """Yield a temporary path. What is written there is flushed to disk and renamed to `path`.

    Whatever happens in between (an exception, a kill, a power cut), `path` holds its old content or
    all of the new one.
    """
    path = Path(path)
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(8)}.tmp")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        yield temporary
        _flush(temporary)
        temporary.replace(path)
        _flush(path.parent)
    except OSError as error:
        raise LadderError(f"{path}: cannot be written: {error.strerror}; {_advice(error)}, then start again") from error
    finally:
        with suppress(OSError):
            temporary.unlink(missing_ok=True)


def write_bytes(path: str | Path, content: bytes) -> None:
    """Write `content`, all of it or none, as `replacing` does."""
    with replacing(path) as temporary:
        temporary.write_bytes(content)  # with the rights that the user's umask gives to new files


def write_text(path: str | Path, content: str) -> None:
    """Write `content` as UTF-8 with Unix line ends, all of it or none."""
    write_bytes(path, content.encode())


def read_yaml(path: str | Path) -> Any:
    """Return the content of a YAML file. Raises LadderError where it is missing, too large or no YAML."""
    if not Path(path).is_file():
        raise LadderError(f"{path}: {'not a file' if Path(path).exists() else 'no such file'}")
    with Path(path).open("rb") as file:
        return parse_yaml(file.read(LARGEST_YAML + 1), path)


def parse_yaml(content: str | bytes, name: str | Path) -> Any:
    """Return what YAML (str, or UTF-8 as bytes) says, read as DVC reads it: by YAML 1.2.

    Raises LadderError that begins with `name` for what is no YAML, for a key given twice, a tag, an anchor or an alias
    (a few lines of aliases can stand for gigabytes), and for what is too long or nested too deep to be meant.
    """
    if len(content) > LARGEST_YAML:
        raise LadderError(f"{name}: longer than {LARGEST_YAML:,} bytes, which is no file of this project")
    try:
        return copy.deepcopy(_parsed(content))
    except MaxDepthExceededError:
        raise LadderError(f"{name}: not valid YAML: nested more than {DEEPEST_YAML} deep") from None
    except DuplicateKeyError as error:
        key, line = error.problem.split('"')[1], error.problem_mark.line + 1
        raise LadderError(f"{name}: not valid YAML: the key {_one_line(key)!r} is there twice, line {line}") from None
    except MarkedYAMLError as error:
        line = f", line {error.problem_mark.line + 1}" if error.problem_mark else ""
        raise LadderError(f"{name}: not valid YAML: {_one_line(error.problem)}{line}") from None
    except (YAMLError, ValueError) as error:  # a ValueError: not UTF-8, a date that is none, a number of 5,000 digits
        raise LadderError(f"{name}: not valid YAML: {_one_line(error)}") from None


def dump_yaml(content: Any) -> str:
    """Return `content` as YAML text, keys in the order given, short lists and mappings on one line.

    YAML 1.1 and 1.2 read the text alike.
    """
    return yaml.dump(content, Dumper=_Dumper, sort_keys=False, default_flow_style=None, width=100)


def with_line(path: str | Path, key: str, name: str, value: str) -> str:
    """Return a YAML file's text with `name: value` in its mapping `key`, at the end. Comments and other lines stay.

    Raises LadderError where there is no such mapping.
    """
    content = read_yaml(path)
    if not isinstance(content, dict) or not isinstance(content.get(key), dict):
        raise LadderError(f"{path}: there is no mapping {key}; restore the file from Git")
    kept, text = YAML(), io.StringIO()
    kept.preserve_quotes, kept.width = True, 1000
    whole = kept.load(Path(path).read_text(encoding="utf-8"))
    whole[key][name] = value
    kept.dump(whole, text)
    return text.getvalue()


def dump_csv(columns: list[str], rows: Iterable[dict]) -> str:
    """Return rows (dicts) as CSV text with Unix line ends: a header, then these columns, which are all there are."""
    text = io.StringIO()
    writer = csv.DictWriter(text, columns, lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()


@functools.lru_cache(maxsize=256)
def _parsed(content):
    """Return what YAML says. Kept by its text, since a card is read again for each of its children."""
    reader = YAML(typ="safe", pure=True)
    reader.Composer, reader.max_depth = _Composer, DEEPEST_YAML
    return reader.load(content.decode() if isinstance(content, bytes) else content)


class _Composer(Composer):
    """Refuses anchors, and with them aliases."""

    def compose_node(self, parent, index):
        event = self.parser.peek_event()
        if getattr(event, "anchor", None):
            fault = f"anchors and aliases such as {event.anchor!r} are not read; write the value itself"
            raise ComposerError(None, None, fault, event.start_mark)
        return super().compose_node(parent, index)


class _Dumper(yaml.SafeDumper):
    """PyYAML writes YAML 1.1. It must also quote what is text there and a number in YAML 1.2."""


_Dumper.add_implicit_resolver(
    "tag:yaml.org,2002:float", re.compile(r"^[-+]?[\d._][\d._eEo+-]*$"), list("-+._0123456789")
)


def _one_line(fault):
    return cut(" ".join(str(fault).split()), SHOWN)


def _advice(error):
    full = (errno.ENOSPC, errno.EDQUOT)
    refused = (errno.EACCES, errno.EPERM, errno.EROFS)
    if error.errno in full:
        return "free some space"
    return "make its folder writable" if error.errno in refused else "name another file, or move what is in the way"


def _flush(path):
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
