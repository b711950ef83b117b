"""Made-up pictures of five shapes, the example of docs/own_data.md.

    python tests/shapes.py ../shapes

They are the same bytes on every machine: drawn in whole numbers, and packed without compression.
"""

import struct
import sys
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np

IMAGES, SIDE = 1500, 40
NOISE = 40  # of the 255 that a colour has
SHAPES: dict[str, Callable[[np.ndarray, np.ndarray, int], np.ndarray]] = {  # which pixels at (x, y) are within size r
    "circle": lambda x, y, r: x**2 + y**2 <= r**2,
    "cross": lambda x, y, r: (np.minimum(abs(x), abs(y)) <= r // 3) & (np.maximum(abs(x), abs(y)) <= r),
    "diamond": lambda x, y, r: abs(x) + abs(y) <= r,
    "square": lambda x, y, r: np.maximum(abs(x), abs(y)) <= r,
    "triangle": lambda x, y, r: (abs(y) <= r) & (2 * abs(x) <= y + r),
}


def shape(name: str, seed: int) -> np.ndarray:
    """Return a picture of a shape, uint8 [SIDE, SIDE, 3]: its size, place and colours are by the seed."""
    draws = np.random.RandomState(seed)  # a stream that NumPy promises never to change
    size = draws.randint(7, 15)
    x, y = (np.arange(SIDE) - draws.randint(size, SIDE - size) for _ in range(2))
    ground, colour = draws.randint(0, 80, 3), draws.randint(120, 256, 3)
    inside = SHAPES[name](x[None, :], y[:, None], size)
    pixels = np.where(inside[..., None], colour, ground) + draws.randint(-NOISE, NOISE + 1, (SIDE, SIDE, 3))
    return pixels.clip(0, 255).astype(np.uint8)


def png(pixels: np.ndarray) -> bytes:
    """Return a PNG of a small picture, uint8 [height, width, 3], its pixels in one block as they are."""
    rows = b"".join(b"\0" + row.tobytes() for row in pixels)
    block = b"\x78\x01\x01" + struct.pack("<HH", len(rows), len(rows) ^ 0xFFFF) + rows
    parts = {
        b"IHDR": struct.pack(">IIBBBBB", pixels.shape[1], pixels.shape[0], 8, 2, 0, 0, 0),
        b"IDAT": block + struct.pack(">I", zlib.adler32(rows)),
        b"IEND": b"",
    }
    chunks = (
        struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))
        for kind, content in parts.items()
    )
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunks)


def draw(folder: Path, images: int = IMAGES) -> None:
    """Write <shape>/<number>.png into a folder, as many of each shape."""
    for number in range(images):
        name = list(SHAPES)[number % len(SHAPES)]
        (folder / name).mkdir(parents=True, exist_ok=True)
        (folder / name / f"{number:04}.png").write_bytes(png(shape(name, number)))


if __name__ == "__main__":
    draw(Path(sys.argv[1]))
