"""Batched resampling against torchvision's transforms of one Pillow image at a time."""

import pytest
import torch
from pillow import one_by_one
from torchvision.transforms import functional as F

from ladder import resample


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
