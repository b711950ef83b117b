"""Reasons to doubt that a prepared picture is one digit, or that it was read rightly.

A network names a digit for any picture, and it is often sure: `champion` gives a page of charts as an 8 with 100 %. So
the picture's shape is looked at, too. Of MNIST's 10,000 test images 0.28 % are doubted for their shape. Where the
highest probability is below a half, `sprint`, seed 0, misreads every third image: that is half of all that it misreads,
and 0.4 % of what it reads rightly. A letter, or a sign drawn in one stroke, passes as a digit.
"""

import numpy as np
from scipy import ndimage

FAINT = 85  # grey level of 255, from which on a pixel counts as a stroke's
LEAST_WHOLE = 0.6  # share of the strokes' pixels in the largest part that hangs together; less in 0.2 % of test images
WIDEST = 1.8  # width divided by height; more in 0.09 % of test images, 2.5 at most
LEAST_INK, MOST_INK = 20.5, 260.0  # in white pixels; 22 to 257 in the test images
SURE = 0.5  # probability
AROUND = np.ones((3, 3))  # pixels that touch at a corner hang together


def doubts(image: np.ndarray, probability: float) -> list[str]:
    """Return in words why a picture may be no single digit, or be misread; nothing where there is no reason.

    image: uint8 [28, 28], prepared, white on black. probability: of the class that was read, from 0 to 1.
    """
    return [*_of_shape(image), *([] if probability >= SURE else ["the network is not sure"])]


def _of_shape(image):
    strokes = image >= FAINT
    parts, count = ndimage.label(strokes, AROUND)
    largest = np.bincount(parts[strokes]).max() / strokes.sum()
    height, width = (np.ptp(np.flatnonzero(strokes.any(axis))) + 1 for axis in (1, 0))
    ink = image.sum() / 255
    return [
        *([f"it falls into {count} parts, the largest {100 * largest:.0f} % of it"] if largest < LEAST_WHOLE else []),
        *([f"it is {width / height:.1f} times as wide as high"] if width > WIDEST * height else []),
        *(["it is hardly more than a line or a dot"] if ink < LEAST_INK else []),
        *(["it is a filled area, not strokes"] if ink > MOST_INK else []),
    ]
