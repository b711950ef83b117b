"""Any picture of one digit, made as MNIST's images are: a small set of pure functions over NumPy arrays.

How MNIST's images were made is told by Y. LeCun, C. Cortes and C. J. C. Burges in "The MNIST database of handwritten
digits". A black-and-white digit was reduced, with its aspect ratio kept, to fit a box of 20 x 20 pixels; the reduction
made it grey. The box was then moved in a field of 28 x 28 pixels until the digit's centre of mass was in the middle.
The digit is white (255), the field black (0). Measured on the 10,000 test images: the longer side of the digit is 20 in
9,997 of them, and the centre of mass, in pixels counted from 0, is from 13.5 up to, but not including, 14.5 in all.

The steps, in the order of `prepare`:

1. `ink`: a pixel's ink is how far its colour is from that of the background, which is the median colour of the
   picture's border. So a dark digit on light, a light one on dark and one in colours are the same thing.
2. `without_haze`: what the border shows of paper, shade or noise is subtracted from the ink.
3. `box`: the smallest box that holds all pixels with a tenth or more of the strongest ink.
4. `reduce`: the box is resized so that its longer side is 20, each new pixel being the mean of what it covers.
5. `place`: it is put into the field of 28 x 28, so that its centre of mass is there, and 255 is its strongest pixel.

An image of MNIST comes out as it went in, but for the last bit of its pixels, and for outermost rows and columns that
are fainter than a tenth. Step 4 takes plain means because they read best (`sprint`, seed 0, 2,000 test images): 99.10 %
of those made five times as large and 98.35 % of those made half as large, where bilinear weights gave 99.05 and 96.85.
benchmarks/prepare.txt has more.
"""

from dataclasses import dataclass

import numpy as np

from ladder.exceptions import LadderError

FIELD, INNER = 28, 20  # sides of the image and of the box that the digit is fitted into, in pixels
MIDDLE = 14  # where the centre of mass is, in pixels counted from 0
FAINT = 0.1  # the box ignores pixels with less than this share of the strongest ink
HAZE = 3.0  # times the upper quartile of the border's ink is subtracted
LEAST = 16 / 255  # the least difference in brightness between digit and background, where 1 is black to white


@dataclass(frozen=True)
class Prepared:
    """A picture as a network wants it, and what was done to it.

    image: uint8 [28, 28], the digit white on black. size: (width, height) of the picture. box: (left, top, width,
    height) of the digit in it. fitted: (width, height) of the digit in `image`. dark_on_light: what it was.
    """

    image: np.ndarray
    size: tuple[int, int]
    box: tuple[int, int, int, int]
    fitted: tuple[int, int]
    dark_on_light: bool

    def told(self) -> str:
        """Return what was done as one line."""
        kind = "dark on light" if self.dark_on_light else "light on dark"
        (width, height), (_, _, wide, high) = self.size, self.box
        made = "kept" if (wide, high) == self.fitted else f"made {self.fitted[0]}×{self.fitted[1]}"
        return f"{kind}; the digit, {wide}×{high} of {width}×{height} pixels, {made} and centred by mass"


def prepare(pixels: np.ndarray) -> Prepared:
    """Return a picture of one digit as MNIST would have it.

    pixels: uint8 [height, width, 4], red, green, blue and alpha. Raises LadderError where there is no digit to see.
    """
    colours = premultiplied(pixels)
    paper = background(colours)
    inked = without_haze(ink(colours, paper))
    if inked.max(initial=0) < LEAST:
        raise LadderError("there is no digit to see: all pixels are (nearly) of one colour")
    left, top, width, height = box(inked)
    part = inked[top : top + height, left : left + width]
    fitted = fitted_size(width, height)
    darker = brightness(colours)[inked > inked.max() / 2].mean() < brightness(paper)
    image = place(reduce(part, *fitted))
    return Prepared(image, pixels.shape[1::-1], (left, top, width, height), fitted, bool(darker))


def premultiplied(pixels: np.ndarray) -> np.ndarray:
    """Return float64 [height, width, 4] in [0, 1]: red, green and blue times alpha, and alpha.

    So colours behind full transparency are all one, and a half-covered pixel is half-way between two colours.
    """
    values = pixels.astype(np.float64) / 255
    alpha = values[..., 3:]
    return np.concatenate([values[..., :3] * alpha, alpha], axis=-1)


def border(values: np.ndarray) -> np.ndarray:
    """Return the outermost pixels of [height, width, ...] as [number, ...]; the corners count twice."""
    return np.concatenate([values[0], values[-1], values[:, 0], values[:, -1]])


def background(colours: np.ndarray) -> np.ndarray:
    """Return the colour [4] of the background: the median of the border, channel by channel.

    There is an even number of pixels on it; the median is the mean of the two in the middle.
    """
    return np.median(border(colours), axis=0)


def ink(colours: np.ndarray, paper: np.ndarray) -> np.ndarray:
    """Return the ink of each pixel, float64 [height, width]: the distance of its colour [4] from the `paper`'s [4].

    It is divided by the square root of 3, so that from black to white it is 1.
    """
    return np.sqrt(((colours - paper) ** 2).sum(-1) / 3)


def without_haze(inked: np.ndarray) -> np.ndarray:
    """Return ink [height, width] less three times the upper quartile of the border's, and 0 where that is negative.

    Of n values in their order, numbered from 0, the quartile is at 0.75 (n - 1), between two of them in proportion.
    """
    return np.maximum(inked - HAZE * np.quantile(border(inked), 0.75), 0)


def box(inked: np.ndarray) -> tuple[int, int, int, int]:
    """Return (left, top, width, height) of the smallest box that holds a tenth or more of the strongest ink."""
    seen = inked >= FAINT * inked.max()
    columns, rows = np.flatnonzero(seen.any(0)), np.flatnonzero(seen.any(1))
    return int(columns[0]), int(rows[0]), int(columns[-1] - columns[0] + 1), int(rows[-1] - rows[0] + 1)


def fitted_size(width: int, height: int) -> tuple[int, int]:
    """Return (width, height) of a box, its longer side made 20; the other keeps the ratio and is at least 1."""
    longer = max(width, height)
    return tuple(max(1, int(INNER * side / longer + 0.5)) for side in (width, height))


def reduce(part: np.ndarray, width: int, height: int) -> np.ndarray:
    """Return float64 [height, width]: each new pixel is the mean of the part of the old ones that it covers."""
    return shares(part.shape[0], height) @ part @ shares(part.shape[1], width).T


def shares(old: int, new: int) -> np.ndarray:
    """Return float64 [new, old]: which share each of `old` pixels in a row has in each of `new` ones."""
    edges = np.arange(new + 1) * (old / new)
    pixels = np.arange(old)
    covered = np.minimum(edges[1:, None], pixels + 1) - np.maximum(edges[:-1, None], pixels)
    return np.maximum(covered, 0) * (new / old)


def place(digit: np.ndarray) -> np.ndarray:
    """Return uint8 [28, 28]: a digit [height, width] up to 20 x 20, its centre of mass at pixel 14, 255 its strongest.

    It is moved by whole pixels. It never leaves the field.
    """
    field = np.zeros((FIELD, FIELD), dtype=np.uint8)
    top, left = (_start(digit.sum(1 - axis)) for axis in (0, 1))
    height, width = digit.shape
    field[top : top + height, left : left + width] = (digit * (255 / digit.max()) + 0.5).astype(np.uint8)
    return field


def _start(mass):
    """Return where a row of masses [n] begins, so that its centre is in [13.5, 14.5)."""
    centre = (mass * np.arange(len(mass))).sum() / mass.sum()
    return min(max(int(np.ceil(MIDDLE - 0.5 - centre)), 0), FIELD - len(mass))


def brightness(colours: np.ndarray) -> np.ndarray:
    """Return the brightness of premultiplied colours [..., 4] on white: the luma of Recommendation ITU-R BT.601."""
    return (colours[..., :3] + 1 - colours[..., 3:]) @ np.array([0.299, 0.587, 0.114])
