"""Resize, rotate and move batches of uint8 images in integers: the same pixels on any processor and on a GPU.

The sources transform Pillow images. Pillow resizes and rotates 8-bit images in fixed point, so `resize` and `rotate`
give the same pixels as Pillow. `affine` gives Pillow's pixels up to rounding.
"""

import functools
import math

import torch
from torch import Tensor
from torch.nn import functional as F

from ladder.portable_math import cosine, sine

FRACTION_BITS = 7  # of a source coordinate, between two pixels


def resize(images: Tensor, size: int) -> Tensor:
    """Return uint8 images [N, 1, S, S] resized to [N, 1, size, size], bilinear.

    Weights are integers of 22 bits, columns first, rows second, each rounded to 8 bits, as in Pillow's
    Resample.c. Their products are summed in float64, which holds every such sum exactly.
    """
    if images.shape[-1] == size:
        return images
    weights = torch.tensor(_weights(images.shape[-1], size), dtype=torch.float64, device=images.device)
    chunks = []
    for chunk in images.split(4096):
        for _ in range(2):
            sums = (chunk.to(torch.float64) @ weights).add_(2**21)
            chunk = sums.div_(2**22).floor_().clamp_(0, 255).to(torch.uint8).mT
        chunks.append(chunk)
    return torch.cat(chunks).contiguous()


def rotate(images: Tensor, angles: Tensor, fill: int) -> Tensor:
    """Return uint8 images [N, 1, S, S] rotated about their centres, nearest pixel, `fill` where there was none.

    angles: float64 [N], degrees, counter-clockwise. Source coordinates are fixed-point with 16 binary
    digits, as in Pillow's Geometry.c.
    """
    side = images.shape[-1]
    centre = side / 2
    radians = torch.deg2rad(-angles)
    cos, sin = torch.cos(radians), torch.sin(radians)
    # (x, y) of the source pixel's centre = (cos, sin; -sin, cos) (x + 1/2 - centre, y + 1/2 - centre) + centre
    along, across = _fixed(cos), _fixed(sin)
    x0 = _fixed(centre + (cos + sin) * (0.5 - centre))
    y0 = _fixed(centre + (cos - sin) * (0.5 - centre))
    step = torch.arange(side, dtype=torch.int32, device=images.device)
    column, row = step.view(1, 1, -1), step.view(1, -1, 1)
    x = ((x0 + row * across) + column * along).bitwise_right_shift_(16).clamp_(-1, side)
    y = ((y0 + row * along) - column * across).bitwise_right_shift_(16).clamp_(-1, side)
    # A border of `fill` stands for all that lies outside. One index into all images at once is the fastest gather.
    framed = F.pad(images, (1, 1, 1, 1), value=fill)
    first = torch.arange(len(images), dtype=torch.int32, device=images.device).view(-1, 1, 1) * (side + 2) ** 2
    source = y.add_(1).mul_(side + 2).add_(x).add_(first + 1)
    return framed.view(-1).index_select(0, source.view(-1)).view(images.shape)


def shift(images: Tensor, shifts: Tensor, reach: int) -> Tensor:
    """Return uint8 images [N, 1, S, S] moved by whole pixels, black where there was none: the pixels of `affine`.

    shifts: int64 [2, N], pixels right and down in ±reach.
    """
    side, width = images.shape[-1], images.shape[-1] + 2 * reach
    framed = F.pad(images, (reach, reach, reach, reach))
    right, down = shifts
    first = torch.arange(len(images), device=images.device) * width**2 + (reach - down) * width + (reach - right)
    rows = first.view(-1, 1) + torch.arange(side, device=images.device) * width
    # The view has, for each pixel, the `side` pixels from there on; so a row is copied as a whole.
    return framed.view(-1).unfold(0, side, 1).index_select(0, rows.view(-1)).view(images.shape)


def affine(images: Tensor, angles: Tensor, shifts: Tensor, scales: Tensor, shears: Tensor) -> Tensor:
    """Return uint8 images [N, 1, S, S] turned, scaled, sheared and moved: bilinear, black where there was none.

    All are float64. angles [N]: half turns in [-1, 1], clockwise; shifts [2, N]: pixels right and down; scales [N]:
    factors; shears [N]: half turns in (-1/2, 1/2), along x. What they mean is torchvision's: the image is sheared,
    then scaled, turned about its centre and last moved.
    """
    side = images.shape[-1]
    cos, sin, tan = cosine(angles), sine(angles), sine(shears) / cosine(shears)
    x_column, x_row = (cos - sin * tan) / scales, (sin + cos * tan) / scales
    y_column, y_row = -sin / scales, cos / scales
    # a pixel's source = matrix (pixel - centre - shift) + centre, in pixels from the centre of the first one
    centre = (side - 1) / 2
    right, down = centre + shifts
    x0 = _fixed(centre - x_column * right - x_row * down)
    y0 = _fixed(centre - y_column * right - y_row * down)
    x = _coordinates(x0, _fixed(x_column), _fixed(x_row), side)
    y = _coordinates(y0, _fixed(y_column), _fixed(y_row), side)
    return _bilinear(images, x, y)


def _coordinates(first: Tensor, by_column: Tensor, by_row: Tensor, side: int) -> Tensor:
    """Return source coordinates int32 [N, S, S] in 2**-FRACTION_BITS pixels, clamped to the black frame."""
    step = torch.arange(side, dtype=torch.int32, device=first.device)
    shift = 16 - FRACTION_BITS
    rows = first + by_row * step.view(1, -1, 1) + 2 ** (shift - 1)
    coordinates = (rows + by_column * step.view(1, 1, -1)).bitwise_right_shift_(shift)
    return coordinates.clamp_(-(2**FRACTION_BITS), side * 2**FRACTION_BITS)


def _bilinear(images: Tensor, x: Tensor, y: Tensor) -> Tensor:
    """Return what uint8 images [N, 1, S, S] show at x and y, int32 [N, S, S] as `_coordinates` returns them."""
    side, one = images.shape[-1], 2**FRACTION_BITS
    framed = F.pad(images, (1, 2, 1, 2)).to(torch.int32).squeeze(1)
    # An integer holds two: a pixel and, 16 bits higher, the pixel below it, so that one product weighs both.
    pairs = (framed[:, :-1] + (framed[:, 1:] << 16)).view(-1)
    height, width = side + 2, side + 3
    first = torch.arange(len(images), dtype=torch.int32, device=images.device).view(-1, 1, 1) * (height * width)
    index = (y >> FRACTION_BITS).mul_(width).add_(x >> FRACTION_BITS).add_(first + width + 1).view(-1)
    x, y = x.bitwise_and_(one - 1).view(-1), y.bitwise_and_(one - 1).view(-1)
    left, right = pairs.index_select(0, index), pairs[1:].index_select(0, index)
    both = right.sub_(left).mul_(x).add_(left.mul_(one))
    top, bottom = both & 0xFFFF, both >> 16
    sums = bottom.sub_(top).mul_(y).add_(top.mul_(one)).add_(one * one // 2)
    return sums.bitwise_right_shift_(2 * FRACTION_BITS).to(torch.uint8).view(images.shape)


def _fixed(values: Tensor) -> Tensor:
    """Return float64 values [N] as int32 [N, 1, 1] with 16 binary digits after the point."""
    return torch.floor(values * 65536 + 0.5).to(torch.int32).view(-1, 1, 1)


@functools.cache
def _weights(old: int, new: int) -> list[tuple[int, ...]]:
    """Return the weight of each of `old` pixels in each of `new` ones: [old][new] integers out of 2**22."""
    scale = old / new
    support = max(scale, 1.0)
    columns = []
    for position in range(new):
        centre = (position + 0.5) * scale
        first, last = max(int(centre - support + 0.5), 0), min(int(centre + support + 0.5), old)
        column = [
            max(1 - abs((pixel - centre + 0.5) / support), 0.0) if first <= pixel < last else 0.0
            for pixel in range(old)
        ]
        columns.append([math.floor(weight / sum(column) * 2**22 + 0.5) for weight in column])
    return list(zip(*columns, strict=True))
