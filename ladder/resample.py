"""Resize and rotate batches of uint8 images, pixel for pixel as Pillow does it one image at a time.

The sources transform Pillow images. Pillow's arithmetic on 8-bit images is fixed-point, so integers
reproduce it exactly, on any processor and on a GPU.
"""

import functools
import math

import torch
from torch.nn import functional as F


def resize(images, size):
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


def rotate(images, angles, fill):
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
    # a border of `fill` takes in all that lies outside; one index into all images at once is the fastest gather
    framed = F.pad(images, (1, 1, 1, 1), value=fill)
    first = torch.arange(len(images), dtype=torch.int32, device=images.device).view(-1, 1, 1) * (side + 2) ** 2
    source = y.add_(1).mul_(side + 2).add_(x).add_(first + 1)
    return framed.view(-1).index_select(0, source.view(-1)).view(images.shape)


def _fixed(values):
    """Return float64 values [N] as int32 [N, 1, 1] with 16 binary digits after the point."""
    return torch.floor(values * 65536 + 0.5).to(torch.int32).view(-1, 1, 1)


@functools.cache
def _weights(old, new):
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
