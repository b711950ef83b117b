"""Images resized, rotated, cropped and moved: the same pixels on any processor. How: kernels/resample.c."""

import functools
import math

import torch

from ladder.lanes.addresses import address
from ladder.lanes.build import library

WEIGHT_BITS = 22  # as in kernels/resample.c


def rotate(images: torch.Tensor, angles: torch.Tensor, fill: int) -> torch.Tensor:
    """Return uint8 images [B, C, S, S] rotated about their centres by float64 angles [B], degrees, counter-clockwise.

    The nearest pixel, and `fill` where there is none.
    """
    out, frame = torch.empty_like(images), _frame(images)
    library().rotate(
        _bytes(out),
        _bytes(frame),
        _bytes(images),
        address(angles, torch.float64, (len(images),)),
        fill,
        *_sizes(images),
    )
    return out


def affine(
    images: torch.Tensor, turns: torch.Tensor, shifts: torch.Tensor, scales: torch.Tensor, shears: torch.Tensor
) -> torch.Tensor:
    """Return uint8 images [B, C, S, S] turned, scaled, sheared and moved: bilinear, black where there is none.

    All are float64. turns [B]: half turns in [-1, 1], clockwise; shifts [2, B]: pixels right and down; scales [B]:
    factors; shears [B]: half turns in (-1/2, 1/2), along x. What they mean is torchvision's: the image is sheared,
    then scaled, turned about its centre and last moved.
    """
    out, frame, count = torch.empty_like(images), _frame(images), len(images)
    library().affine(
        _bytes(out),
        _bytes(frame),
        _bytes(images),
        address(turns, torch.float64, (count,)),
        address(shifts, torch.float64, (2, count)),
        address(scales, torch.float64, (count,)),
        address(shears, torch.float64, (count,)),
        *_sizes(images),
    )
    return out


def shift(images: torch.Tensor, shifts: torch.Tensor) -> torch.Tensor:
    """Return uint8 images [B, C, S, S] moved by whole pixels, black where there was none.

    shifts: float64 [2, B], pixels right and down.
    """
    out = torch.empty_like(images)
    library().shift(_bytes(out), _bytes(images), address(shifts, torch.float64, (2, len(images))), *_sizes(images))
    return out


def center_crop(images: torch.Tensor, chosen: torch.Tensor, size: int) -> torch.Tensor:
    """Return uint8 images [B, C, S, S]; the chosen ones, bool [B], show their central size x size pixels, resized."""
    out, side = torch.empty_like(images), images.shape[-1]
    start = round((side - size) / 2)  # a torchvision CenterCrop of an odd margin rounds half to even
    first, weights, taps = resize_weights(size, side)
    scratch = images.new_empty(side, side)
    library().center_crop(
        _bytes(out),
        _bytes(scratch),
        _bytes(images),
        address(chosen, torch.bool, (len(images),)),
        address(first, torch.int32),
        address(weights, torch.int32),
        start,
        size,
        *_sizes(images),
        taps,
    )
    return out


def resize(images: torch.Tensor, size: int) -> torch.Tensor:
    """Return uint8 images [N, C, S, S] resized to [N, C, size, size], bilinear, with Pillow's pixels."""
    count, channels, side = _sizes(images)
    if side == size:
        return images
    out, scratch = images.new_empty(count, channels, size, size), images.new_empty(side, size)
    first, weights, taps = resize_weights(side, size)
    library().resize(
        _bytes(out),
        _bytes(scratch),
        _bytes(images),
        address(first, torch.int32),
        address(weights, torch.int32),
        count * channels,
        side,
        size,
        taps,
    )
    return out


def _bytes(images):
    return address(images, torch.uint8)


def _sizes(images):
    """Return (count, channels, side) of images. Raises TypeError where they aren't square."""
    *sizes, height, width = images.shape
    if len(sizes) != 2 or height != width:
        raise TypeError(f"images are [number, channels, side, side], not {list(images.shape)}")
    return *sizes, width


def _frame(images):
    """Return room for one image of kernels/resample.c with its border."""
    side = images.shape[-1]
    return images.new_empty(side + 3, side + 3)


@functools.cache
def resize_weights(old: int, new: int) -> tuple[torch.Tensor, torch.Tensor, int]:
    """Return (first, weights, taps): the `taps` of `old` pixels that each of `new` ones is made of.

    first: int32 [new]; weights: int32 [new, taps], out of 2**WEIGHT_BITS. As in Pillow's Resample.c.
    """
    scale = old / new
    support = max(scale, 1.0)
    taps = min(math.ceil(support) * 2 + 1, old)
    firsts, rows = [], []
    for position in range(new):
        centre = (position + 0.5) * scale
        first, last = max(int(centre - support + 0.5), 0), min(int(centre + support + 0.5), old)
        first = min(first, old - taps)  # the row's weights end within the image; those before its first are 0
        row = [
            max(1 - abs((pixel - centre + 0.5) / support), 0.0) * (pixel < last) for pixel in range(first, first + taps)
        ]
        firsts.append(first)
        rows.append([math.floor(weight / sum(row) * 2**WEIGHT_BITS + 0.5) for weight in row])
    return torch.tensor(firsts, dtype=torch.int32), torch.tensor(rows, dtype=torch.int32), taps
