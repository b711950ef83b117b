"""The page's folder: scripts and styles as they are, and data as scripts, since a page from a file may fetch nothing.

A data file is one call, `received("<name>", "<content>")`. The content is JSON, gzipped, in base64; bytes within it,
such as a network's numbers, are base64 once more. files/load.js is the other side.
"""

import base64
import gzip
import json
from collections.abc import Mapping
from pathlib import Path

FILES = Path(__file__).parent / "files"


def page_files(charts: list[bytes], data: Mapping[str, object]) -> dict[str, bytes]:
    """Return {path in the folder: content} of the whole page.

    charts: the scripts that draw charts, in their order; data: {name: what JSON can say, with bytes}.
    """
    plain = {path.name: path.read_bytes() for path in sorted(FILES.iterdir()) if path.is_file()}
    return plain | {"vega.js": b"\n".join(charts)} | {f"data/{name}.js": as_script(name, data[name]) for name in data}


def as_script(name: str, content: object) -> bytes:
    """Return the script that hands `content` to the page under `name`. The same bytes for the same content."""
    text = json.dumps(content, ensure_ascii=False, separators=(",", ":"), default=_as_text)
    packed = base64.b64encode(gzip.compress(text.encode(), mtime=0)).decode()
    return f'received("{name}", "{packed}");\n'.encode()


def _as_text(value):
    if isinstance(value, bytes):
        return base64.b64encode(value).decode()
    raise TypeError(f"JSON has no {type(value).__name__}")
