"""Batched resampling against torchvision's transforms of one Pillow image at a time."""

import numpy as np
import pytest
import torch
from pillow import one_by_one
from torchvision.transforms import InterpolationMode
from torchvision.transforms import functional as F

from ladder.lanes import resample


@pytest.fixture(scope="module")
def images():
    """Noise shows every misplaced pixel; a real digit is mostly background."""
    return torch.randint(0, 256, (40, 1, 28, 28), dtype=torch.uint8, generator=torch.Generator().manual_seed(1))


@pytest.mark.parametrize("fill", [0, 1])
@pytest.mark.parametrize("reach", [0.3, 6.9, 15, 45, 180])
def test_rotation_is_torchvisions_for_every_pixel(images, reach, fill):
    angles = torch.linspace(-reach, reach, len(images), dtype=torch.float64)
    expected = one_by_one(images, lambda picture, n: F.rotate(picture, angles[n].item(), fill=[fill]))
    assert torch.equal(resample.rotate(images, angles, fill), expected)


def test_rotation_is_random_affines_with_the_sign_turned(images):
    angles = torch.linspace(-15, 15, len(images), dtype=torch.float64)

    def affine(picture, n):
        return F.affine(picture, angle=-angles[n].item(), translate=[0, 0], scale=1.0, shear=[0.0, 0.0], fill=[0])

    assert torch.equal(resample.rotate(images, angles, 0), one_by_one(images, affine))


@pytest.mark.parametrize(("old", "new"), [(28, 32), (22, 28), (28, 28), (28, 14), (28, 19), (5, 28)])
def test_resizing_is_torchvisions_for_every_pixel(images, old, new):
    images = images[..., :old, :old].contiguous()
    assert torch.equal(
        resample.resize(images, new), one_by_one(images, lambda picture, _: F.resize(picture, [new, new]))
    )


def test_resizing_keeps_black_and_white():
    for value in (0, 255):
        flat = torch.full((1, 1, 28, 28), value, dtype=torch.uint8)
        assert (resample.resize(flat, 32) == value).all()


def moved(images, angle=0.0, shift=(0, 0), scale=1.0, shear=0.0):
    """Return images under one affine move: degrees, pixels, a factor, degrees."""
    count = len(images)
    shifts = torch.tensor(shift, dtype=torch.float64).view(2, 1).repeat(1, count)
    angles, scales, shears = (
        torch.full((count,), value, dtype=torch.float64) for value in (angle / 180, scale, shear / 180)
    )
    return resample.affine(images, angles, shifts, scales, shears)


@pytest.mark.parametrize("reach", [0.1, 0.5, 1.0])
@pytest.mark.parametrize("side", [28, 19])
def test_affine_is_torchvisions_but_for_rounding(images, reach, side):
    """Pillow's bilinear cuts its result off; ours rounds it, and a place to 1/128 pixel. The frame is black, since
    Pillow repeats an edge by half a pixel and ours fades into the black outside."""
    generator = torch.Generator().manual_seed(2)
    framed = torch.zeros(len(images), 1, side, side, dtype=torch.uint8)
    framed[..., 1:-1, 1:-1] = images[..., : side - 2, : side - 2]
    draws = reach * (2 * torch.rand(5, len(images), dtype=torch.float64, generator=generator) - 1)
    angles, shears, scales, shifts = 180 * draws[0], 45 * draws[1], 1 + 0.5 * draws[2], (6 * draws[3:]).round()

    def affine(picture, n):
        return F.affine(
            picture,
            angle=angles[n].item(),
            translate=[int(shift) for shift in shifts[:, n]],
            scale=scales[n].item(),
            shear=[shears[n].item(), 0.0],
            interpolation=InterpolationMode.BILINEAR,
            fill=[0],
        )

    ours = resample.affine(framed, angles / 180, shifts, scales, shears / 180)
    difference = ours.int() - one_by_one(framed, affine).int()
    assert difference.min() >= -1
    assert difference.max() <= 2
    assert (difference.abs() > 1).float().mean() < 0.01


def test_affine_that_moves_nothing_changes_nothing(images):
    assert torch.equal(moved(images), images)


@pytest.mark.parametrize("shift", [(1, 0), (-2, 3), (0, -27), (28, 0), (100, -100)])
def test_affine_by_whole_pixels_is_a_shift_into_black(images, shift):
    right, down = shift
    expected = torch.zeros_like(images)
    for row in range(28):
        for column in range(28):
            if 0 <= row - down < 28 and 0 <= column - right < 28:
                expected[..., row, column] = images[..., row - down, column - right]
    assert torch.equal(moved(images, shift=shift), expected)
    everywhere = torch.tensor(shift).view(2, 1).repeat(1, len(images))
    assert torch.equal(resample.shift(images, everywhere.to(torch.float64)), expected)


def test_affine_by_quarter_turns_is_numpys(images):
    for quarters in (-2, -1, 1, 2):
        expected = torch.from_numpy(np.rot90(images.numpy(), -quarters, axes=(2, 3)).copy())
        assert torch.equal(moved(images, angle=90.0 * quarters), expected)


def test_affine_by_half_a_pixel_is_the_mean_of_two(images):
    wide = images.int()
    expected = (wide[..., 1:] + wide[..., :-1] + 1) // 2
    assert torch.equal(moved(images, shift=(0.5, 0))[..., 1:].int(), expected)
    expected = (wide[..., 1:, :] + wide[..., :-1, :] + 1) // 2
    assert torch.equal(moved(images, shift=(0, 0.5))[..., 1:, :].int(), expected)


def test_affine_keeps_white_white_inside():
    white = torch.full((1, 1, 28, 28), 255, dtype=torch.uint8)
    assert (moved(white, angle=33.0, shear=10.0)[..., 7:-7, 7:-7] == 255).all()
    assert (moved(white, scale=1.5, angle=10.0) == 255).all()
