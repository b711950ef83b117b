"""Pictures in files as pixels."""

import warnings
from pathlib import Path

import numpy as np
from PIL import Image, UnidentifiedImageError

from ladder.exceptions import LadderError

LARGEST = 16_000_000  # pixels; preparing one takes about 100 bytes a pixel


def read_png(path: str | Path) -> np.ndarray:
    """Return the pixels of a PNG file, uint8 [height, width, 4]: red, green, blue and alpha, 255 where it has none.

    Raises LadderError where it is no PNG, damaged or too large.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of a size that is refused here
            with Image.open(path, formats=["PNG"]) as picture:
                if picture.width * picture.height > LARGEST:
                    raise LadderError(f"{path}: {picture.width}×{picture.height} pixels; at most {LARGEST:,} will do")
                return _rgba(picture)
    except (FileNotFoundError, IsADirectoryError, PermissionError) as error:
        raise LadderError(f"{path}: {error.strerror}") from None
    except UnidentifiedImageError:
        raise LadderError(f"{path}: not a PNG; save the picture as one") from None
    except Image.DecompressionBombError:
        raise LadderError(f"{path}: too large; at most {LARGEST:,} pixels will do") from None
    except (OSError, SyntaxError, ValueError) as error:  # SyntaxError: Pillow's, for a damaged header
        raise LadderError(f"{path}: a damaged PNG ({' '.join(str(error).split())})") from None


def _rgba(picture):
    if picture.mode.startswith("I"):  # grey of 16 bits, which Pillow would clip to 255
        values = np.asarray(picture).astype(np.int64) >> 8
        return np.stack([*[values] * 3, np.full_like(values, 255)], axis=-1).astype(np.uint8)
    return np.asarray(picture.convert("RGBA"))
