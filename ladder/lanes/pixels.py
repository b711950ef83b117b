"""From uint8 images to the float32 maps that a network of lanes sees."""

from collections.abc import Sequence

import torch

from ladder.lanes.addresses import address
from ladder.lanes.blocks import LANES, blocks_of
from ladder.lanes.build import library


def pixel_values(mean: float | Sequence[float], std: float | Sequence[float]) -> torch.Tensor:
    """Return float32 [C, 256]: what a byte becomes in each channel, (byte / 255 - mean) / std, rounded once.

    mean, std: of a pixel in [0, 1]; a number or one a channel.
    """
    mean, std = (torch.tensor(value, dtype=torch.float64).view(-1, 1) for value in (mean, std))
    return ((torch.arange(256, dtype=torch.float64) / 255 - mean) / std).to(torch.float32)


def normalise(images: torch.Tensor, picked: torch.Tensor | None, values: torch.Tensor) -> torch.Tensor:
    """Return images in lanes, float32 [ceil(B/16), C, S, S, 16]: those at `picked`, int64 [B], or all where it is None.

    images: uint8 [N, C, S, S]. values: float32 [C, 256] from `pixel_values`. Lanes without an image are 0.
    """
    picked = torch.arange(len(images)) if picked is None else picked
    count, channels, side = len(picked), *images.shape[1:3]
    out = torch.empty(blocks_of(count), channels, side, side, LANES)
    library().normalise(
        address(out),
        address(images, torch.uint8, (len(images), channels, side, side)),
        address(picked, torch.int64),
        address(values, torch.float32, (channels, 256)),
        count,
        channels,
        side,
    )
    return out
