"""Files: whole or absent; YAML as DVC reads it, and CSV."""

import csv
import errno
import io
import os
import re
import tempfile
from pathlib import Path

import yaml

from ladder.exceptions import LadderError


def write_bytes(path, content):
    """Write `content` (bytes) to a temporary file, flush it to disk and rename it to `path`.

    Whatever happens in between (an exception, a kill, a power cut), `path` holds its old content or
    all of the new one.
    """
    path = Path(path)
    temporary = None
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.", suffix=".tmp")
        os.close(handle)
        temporary = Path(name)
        temporary.write_bytes(content)
        temporary.chmod(0o644)
        _flush(temporary)
        temporary.replace(path)
        _flush(path.parent)
    except OSError as error:
        raise LadderError(f"{path}: cannot be written: {error.strerror}; {_mend(error)}, then start again") from error
    finally:
        if temporary:
            temporary.unlink(missing_ok=True)


def write_text(path, content):
    """Write `content` (str) as UTF-8 with Unix line ends, all of it or none."""
    write_bytes(path, content.encode())


def read_yaml(path):
    """Return the content of a YAML file. Raises LadderError where it is missing or no YAML."""
    try:
        return parse_yaml(Path(path).read_bytes(), path)
    except FileNotFoundError:
        raise LadderError(f"{path}: no such file") from None


def parse_yaml(content, name):
    """Return what YAML (str, or UTF-8 as bytes) says. Raises LadderError that begins with `name` where it is none."""
    try:
        return yaml.load(content.decode() if isinstance(content, bytes) else content, _Loader)
    except (yaml.YAMLError, ValueError) as error:  # a ValueError: not UTF-8, or a date that is none
        raise LadderError(f"{name}: not valid YAML: {' '.join(str(error).split())}") from None


def dump_yaml(content):
    """Return `content` as YAML text, keys in the order given, short lists and mappings on one line."""
    return yaml.dump(content, sort_keys=False, default_flow_style=None, width=100)


def dump_csv(columns, rows):
    """Return rows (dicts) as CSV text with Unix line ends: a header, then these columns, which are all there are."""
    text = io.StringIO()
    writer = csv.DictWriter(text, columns, lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()


class _Loader(yaml.SafeLoader):
    """PyYAML reads YAML 1.1, where 1e-2 is text; DVC reads YAML 1.2, where it is a number."""

    def construct_mapping(self, node, deep=False):
        """Refuse a key given twice, of which YAML would silently keep the second."""
        keys = [key.value for key, _ in node.value]
        twice = next((key for key in keys if keys.count(key) > 1), None)
        if twice is not None:
            raise yaml.constructor.ConstructorError(None, None, f"the key {twice!r} is there twice", node.start_mark)
        return super().construct_mapping(node, deep)


_Loader.add_implicit_resolver(
    "tag:yaml.org,2002:float",
    re.compile(r"^[-+]?(\d+\.?\d*|\.\d+)[eE][-+]?\d+$"),
    list("-+.0123456789"),
)


def _mend(error):
    full = (errno.ENOSPC, errno.EDQUOT)
    return "free some space" if error.errno in full else "make its folder writable"


def _flush(path):
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
