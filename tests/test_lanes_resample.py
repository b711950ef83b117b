"""Augmentation in lanes against ladder.resample, which is held to Pillow, and against Pillow itself."""

import pytest
import resample_in_torch as resample
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from pillow import one_by_one
from torchvision import transforms

from ladder.lanes import resample as ours

SIDES = st.integers(1, 40) | st.sampled_from([95, 96])


def noise(count, channels=1, side=28):
    generator = torch.Generator().manual_seed(channels + side)
    return torch.randint(0, 256, (count, channels, side, side), dtype=torch.uint8, generator=generator)


def each_channel(images, move):
    """Return what move(images of one channel) makes of every channel: the oracles know one channel only."""
    return torch.cat([move(images[:, [channel]]) for channel in range(images.shape[1])], dim=1)


def uniform(seed, count, reach, shape=()):
    numbers = torch.rand(*shape, count, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))
    return (2 * numbers - 1) * reach


anything = settings(deadline=None, max_examples=60)


@anything
@given(
    count=st.integers(1, 17),
    channels=st.sampled_from([1, 3]),
    side=SIDES,
    reach=st.sampled_from([0.3, 15.0, 180.0]),
    fill=st.integers(0, 255),
    seed=st.integers(0, 2**32),
)
def test_rotation_has_resamples_pixels(count, channels, side, reach, fill, seed):
    images, angles = noise(count, channels, side), uniform(seed, count, reach)
    expected = each_channel(images, lambda one: resample.rotate(one, angles, fill))
    assert torch.equal(ours.rotate(images, angles, fill), expected)


@anything
@given(
    count=st.integers(1, 17),
    channels=st.sampled_from([1, 3]),
    side=SIDES,
    reach=st.sampled_from([0.02, 0.3, 1.0]),
    seed=st.integers(0, 2**32),
)
def test_an_affine_move_has_resamples_pixels(count, channels, side, reach, seed):
    images, turns = noise(count, channels, side), uniform(seed, count, reach)
    shifts = uniform(seed + 1, count, 100 * reach, (2,))
    scales, shears = 1 + uniform(seed + 2, count, 0.5 * reach), uniform(seed + 3, count, 0.25 * reach)
    expected = each_channel(images, lambda one: resample.affine(one, turns, shifts, scales, shears))
    assert torch.equal(ours.affine(images, turns, shifts, scales, shears), expected)


@anything
@given(
    count=st.integers(1, 17),
    channels=st.sampled_from([1, 3]),
    side=SIDES,
    reach=st.integers(0, 100),
    seed=st.integers(0),
)
def test_a_shift_has_resamples_pixels(count, channels, side, reach, seed):
    images = noise(count, channels, side)
    shifts = torch.randint(-reach, reach + 1, (2, count), generator=torch.Generator().manual_seed(seed % 2**63))
    expected = each_channel(images, lambda one: resample.shift(one, shifts, reach))
    assert torch.equal(ours.shift(images, shifts.to(torch.float64)), expected)


@pytest.mark.parametrize("shift", [(28, 0), (-28, 0), (0, 28), (0, -28), (27, -27), (-27, 27), (28, 28), (100, -3)])
def test_a_shift_off_the_image_leaves_what_is_left(shift):
    images, shifts = noise(3), torch.tensor(shift, dtype=torch.float64).view(2, 1).expand(2, 3).contiguous()
    assert torch.equal(ours.shift(images, shifts), resample.shift(images, shifts.long(), 100))


@anything
@given(channels=st.sampled_from([1, 3]), side=SIDES, size=SIDES)
def test_resizing_has_resamples_pixels(channels, side, size):
    images = noise(3, channels, side)
    assert torch.equal(ours.resize(images, size), each_channel(images, lambda one: resample.resize(one, size)))


@pytest.mark.parametrize(
    ("size", "side"), [(22, 28), (21, 28), (14, 28), (28, 28), (1, 28), (9, 13), (12, 13), (60, 96)]
)
def test_a_centre_crop_of_the_chosen_is_torchvisions_then_resized(size, side):
    images, chosen = noise(20, 1, side), torch.arange(20) % 3 == 0
    crop = transforms.Compose([transforms.CenterCrop(size), transforms.Resize((side, side))])
    expected = one_by_one(images, lambda picture, n: crop(picture) if chosen[n] else picture)
    assert torch.equal(ours.center_crop(images, chosen, size), expected)


def test_a_centre_crop_takes_every_channel():
    images, chosen = noise(20, 3, 28), torch.arange(20) % 3 == 0
    expected = each_channel(images, lambda one: ours.center_crop(one, chosen, 21))
    assert torch.equal(ours.center_crop(images, chosen, 21), expected)


COUNT = 64


def test_parameters_of_another_number_of_images_and_oblong_images_are_an_error():
    with pytest.raises(TypeError, match=r"a tensor of shape \(4,\) here, not \(3,\)"):
        ours.rotate(noise(4), torch.zeros(3, dtype=torch.float64), 0)
    with pytest.raises(TypeError, match=r"images are \[number, channels, side, side\], not \[4, 1, 28, 20\]"):
        ours.resize(noise(4)[..., :20], 14)
