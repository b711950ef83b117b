"""Augmentation in lanes against ladder.resample, which is held to Pillow, and against Pillow itself."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from pillow import one_by_one
from torchvision import transforms
from torchvision.transforms import functional as F

from ladder import cards, resample
from ladder.lanes import augment, draws

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
    assert torch.equal(augment.rotate(images, angles, fill), expected)


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
    assert torch.equal(augment.affine(images, turns, shifts, scales, shears), expected)


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
    assert torch.equal(augment.shift(images, shifts.to(torch.float64)), expected)


@pytest.mark.parametrize("shift", [(28, 0), (-28, 0), (0, 28), (0, -28), (27, -27), (-27, 27), (28, 28), (100, -3)])
def test_a_shift_off_the_image_leaves_what_is_left(shift):
    images, shifts = noise(3), torch.tensor(shift, dtype=torch.float64).view(2, 1).expand(2, 3).contiguous()
    assert torch.equal(augment.shift(images, shifts), resample.shift(images, shifts.long(), 100))


@anything
@given(channels=st.sampled_from([1, 3]), side=SIDES, size=SIDES)
def test_resizing_has_resamples_pixels(channels, side, size):
    images = noise(3, channels, side)
    assert torch.equal(augment.resize(images, size), each_channel(images, lambda one: resample.resize(one, size)))


@pytest.mark.parametrize(
    ("size", "side"), [(22, 28), (21, 28), (14, 28), (28, 28), (1, 28), (9, 13), (12, 13), (60, 96)]
)
def test_a_centre_crop_of_the_chosen_is_torchvisions_then_resized(size, side):
    images, chosen = noise(20, 1, side), torch.arange(20) % 3 == 0
    crop = transforms.Compose([transforms.CenterCrop(size), transforms.Resize((side, side))])
    expected = one_by_one(images, lambda picture, n: crop(picture) if chosen[n] else picture)
    assert torch.equal(augment.center_crop(images, chosen, size), expected)


def test_a_centre_crop_takes_every_channel():
    images, chosen = noise(20, 3, 28), torch.arange(20) % 3 == 0
    expected = each_channel(images, lambda one: augment.center_crop(one, chosen, 21))
    assert torch.equal(augment.center_crop(images, chosen, 21), expected)


COUNT = 64


def uniforms(number):
    """Return what an augmentation draws, one float64 an image at a time, from seed 5."""
    return draws.uniform(number * COUNT, draws.generator(5)).view(number, COUNT)


def augmented(images, *steps):
    return augment.augment(images, steps, draws.generator(5))


def test_rotation_then_rotation_is_two_of_torchvisions():
    first, second = 2 * uniforms(2) - 1

    def twice(picture, n):
        once = F.rotate(picture, 6.9 * first[n].item(), fill=[1])
        return F.rotate(once, 15 * second[n].item(), fill=[0])

    images = noise(COUNT)
    steps = cards.Rotate(degrees=6.9, fill=1), cards.Rotate(degrees=15.0)
    assert torch.equal(augmented(images, *steps), one_by_one(images, twice))


def test_crop_then_rotation_is_the_order_of_the_steps():
    chosen, uniform = uniforms(2)

    def both(picture, n):
        cropped = F.resize(F.center_crop(picture, [22, 22]), [28, 28]) if chosen[n] < 0.3 else picture
        return F.rotate(cropped, 15 * (2 * uniform[n].item() - 1), fill=[1])

    images = noise(COUNT)
    steps = cards.CenterCrop(size=22, p=0.3), cards.Rotate(degrees=15.0, fill=1)
    assert torch.equal(augmented(images, *steps), one_by_one(images, both))


def test_an_affine_step_draws_angle_shift_scale_and_shear_in_torchvisions_meaning():
    images = noise(COUNT)
    for edge in (images[..., 0, :], images[..., -1, :], images[..., 0], images[..., -1]):
        edge.zero_()
    angle, x, y, scale, shear = uniforms(5)

    def moved(picture, n):
        return F.affine(
            picture,
            angle=10 * (2 * angle[n].item() - 1),
            translate=[int(5 * draw[n]) - 2 for draw in (x, y)],
            scale=1 + 0.1 * (2 * scale[n].item() - 1),
            shear=[15 * (2 * shear[n].item() - 1), 0.0],
            interpolation=transforms.InterpolationMode.BILINEAR,
        )

    ours = augmented(images, cards.Affine(degrees=10.0, translate=2, scale=0.1, shear=15.0))
    assert (ours.int() - one_by_one(images, moved).int()).abs().max() <= 2


@pytest.mark.parametrize("reach", [1, 2, 30])
def test_an_affine_step_that_only_translates_has_torchvisions_pixels(reach):
    _, x, y, _, _ = uniforms(5)

    def moved(picture, n):
        shifts = [int((2 * reach + 1) * draw[n]) - reach for draw in (x, y)]
        return F.affine(picture, angle=0.0, translate=shifts, scale=1.0, shear=[0.0, 0.0])

    images = noise(COUNT)
    assert torch.equal(augmented(images, cards.Affine(translate=reach)), one_by_one(images, moved))


def test_no_augmentation_changes_nothing():
    images = noise(COUNT)
    assert torch.equal(augmented(images), images)


def test_parameters_of_another_number_of_images_and_oblong_images_are_an_error():
    with pytest.raises(TypeError, match=r"a tensor of shape \(4,\) here, not \(3,\)"):
        augment.rotate(noise(4), torch.zeros(3, dtype=torch.float64), 0)
    with pytest.raises(TypeError, match=r"images are \[number, channels, side, side\], not \[4, 1, 28, 20\]"):
        augment.resize(noise(4)[..., :20], 14)
