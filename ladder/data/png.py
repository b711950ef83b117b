"""PNG files as pixels, the same on every machine: checked, decoded, resized.

PNG alone, since decoders of JPEG differ in the last bit.
"""

import functools
import io
import warnings
from typing import Literal

import numpy as np
from PIL import Image, UnidentifiedImageError

from ladder.exceptions import LadderError
from ladder.lanes.resample import WEIGHT_BITS, resize_weights

LARGEST, LONGEST = 16_000_000, 10_000  # pixels; of a side
DEPTH_AT = 24  # where a PNG says how many bits a value has (W3C, PNG, third edition, 11.2.1)
SIGNATURES = {
    b"\xff\xd8\xff": "JPEG",
    b"GIF8": "GIF",
    b"BM": "BMP",
    b"RIFF": "WebP",
    b"II*\0": "TIFF",
    b"MM\0*": "TIFF",
}
Background = Literal["black", "white"]


def read_png(content: bytes, background: Background | None) -> np.ndarray:
    """Return the pixels of a PNG, uint8 [height, width, 3]: red, green and blue.

    background: what lies behind transparent pixels; None: there must be none. Raises LadderError, which says what is
    wrong, but not with which file.
    """
    if not content:
        raise LadderError("the file is empty")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of a size that is refused here, of a palette with transparency
            with Image.open(io.BytesIO(content), formats=["PNG"]) as picture:
                _check(picture, content)
                picture.verify()  # all checksums, up to the end; then it can only be opened anew
            with Image.open(io.BytesIO(content), formats=["PNG"]) as picture:
                return _rgb(picture, background)
    except LadderError:
        raise
    except UnidentifiedImageError:
        kind = next((kind for start, kind in SIGNATURES.items() if content.startswith(start)), None)
        raise LadderError(f"{f'a {kind}' if kind else 'no picture that can be read'}, not a PNG; convert it") from None
    except Image.DecompressionBombError:
        raise LadderError(f"too large; at most {LONGEST:,} pixels a side will do") from None
    except Exception as error:  # of a damaged file Pillow says AssertionError, IndexError, SyntaxError and others
        raise LadderError(f"a damaged PNG ({' '.join(str(error).split()) or type(error).__name__})") from None


def _check(picture, content):
    """Raise LadderError for a PNG of another kind than this project reads."""
    if max(picture.size) > LONGEST or picture.width * picture.height > LARGEST:
        limit = f"at most {LONGEST:,} a side and {LARGEST:,} together will do"
        raise LadderError(f"{picture.width}×{picture.height} pixels; {limit}")
    if content[DEPTH_AT] == 16 or picture.mode.startswith("I"):
        raise LadderError("16 bits a colour; save it with 8")
    if getattr(picture, "is_animated", False):
        raise LadderError("an animated PNG; save its frames one by one")


def _rgb(picture, background):
    if not picture.has_transparency_data:
        return np.asarray(picture.convert("RGB"))
    values = np.asarray(picture.convert("RGBA")).astype(np.int64)
    colours, alpha = values[..., :3], values[..., 3:]
    if background is None and (alpha < 255).any():
        raise LadderError("it has transparent pixels; say what lies behind them: --background black, or white")
    behind = 255 if background == "white" else 0
    return ((colours * alpha + behind * (255 - alpha) + 127) // 255).astype(np.uint8)


def grey(pixels: np.ndarray) -> np.ndarray:
    """Return uint8 [height, width, 1] of colours [height, width, 3]: the luma of ITU-R BT.601, in 16-bit fractions.

    As Pillow's mode L has it; grey colours keep their value.
    """
    weights = np.array([19595, 38470, 7471])
    return ((pixels @ weights + 2**15) >> 16).astype(np.uint8)[..., None]


def resized(pixels: np.ndarray, side: int) -> np.ndarray:
    """Return uint8 [side, side, channels] of pixels [height, width, channels]: bilinear, as Pillow does it.

    Its width first, then its height, so a picture that is not square is stretched. All sums are of whole numbers below
    2**53, so float64 has them exactly, in any order.
    """
    wide = _weighted(pixels.transpose(2, 0, 1), side)
    return _weighted(wide.transpose(0, 2, 1), side).transpose(2, 1, 0)


def _weighted(values, side):
    """Return uint8 [..., side] of values [..., old]."""
    old = values.shape[-1]
    if old == side:
        return values
    sums = values.astype(np.float64) @ _weights(old, side)
    return np.clip((sums + 2 ** (WEIGHT_BITS - 1)) // 2**WEIGHT_BITS, 0, 255).astype(np.uint8)


@functools.lru_cache(maxsize=64)
def _weights(old, new):
    """Return the weights of `old` pixels in each of `new` ones, whole numbers, float64 [old, new]."""
    first, weights, taps = resize_weights(old, new)
    dense = np.zeros((old, new))
    for position, start in enumerate(first.tolist()):
        dense[start : start + taps, position] = weights[position].numpy()
    return dense
