"""Pixels in lanes against plain torch in float64."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from ladder.lanes.pixels import LANES, normalise, pixel_values


def noise(count, channels, side):
    generator = torch.Generator().manual_seed(count + channels + side)
    return torch.randint(0, 256, (count, channels, side, side), dtype=torch.uint8, generator=generator)


def in_lanes(x):
    """Return [N, C, S, S] as [ceil(N/16), C, S, S, 16]: the lanes without an image hold 0."""
    blocks = -(-len(x) // LANES)
    filled = torch.cat([x, x.new_zeros(blocks * LANES - len(x), *x.shape[1:])])
    return filled.unflatten(0, (blocks, LANES)).movedim(1, -1)


@settings(deadline=None, max_examples=60)
@given(
    count=st.sampled_from([1, 2, 15, 16, 17, 32, 33]),
    channels=st.sampled_from([1, 3]),
    side=st.integers(1, 33) | st.just(96),
    seed=st.integers(0, 2**32),
)
def test_picked_images_are_normalised_and_in_lanes(count, channels, side, seed):
    images = noise(20, channels, side)
    picked = torch.randint(0, 20, (count,), generator=torch.Generator().manual_seed(seed))
    mean, std = [0.1307, 0.5, 0.0][:channels], [0.3081, 0.25, 1.0][:channels]
    x = images[picked].to(torch.float64) / 255
    for channel in range(channels):
        x[:, channel] = (x[:, channel] - mean[channel]) / std[channel]
    assert torch.equal(normalise(images, picked, pixel_values(mean, std)), in_lanes(x.to(torch.float32)))


@pytest.mark.parametrize("count", [1, 15, 16, 17, 128])
def test_without_a_pick_all_images_come_in_their_order(count):
    images, values = noise(count, 1, 28), pixel_values(0.1307, 0.3081)
    assert torch.equal(normalise(images, None, values), normalise(images, torch.arange(count), values))


def test_values_are_as_good_as_torchs_own_arithmetic():
    ours = pixel_values(0.1307, 0.3081)
    theirs = torch.arange(256).to(torch.float32).div(255).sub(0.1307).div(0.3081)
    assert ours.dtype == torch.float32
    torch.testing.assert_close(ours[0], theirs, rtol=1e-6, atol=1e-6)
    assert torch.equal(pixel_values([0.1307] * 3, [0.3081] * 3), ours.expand(3, 256))


def test_values_of_other_channels_are_an_error():
    with pytest.raises(TypeError, match=r"of shape \(3, 256\) here, not \(1, 256\)"):
        normalise(noise(2, 3, 5), None, pixel_values(0.5, 0.5))
