"""Random augmentation against torchvision's transforms at the parameters drawn, and its distribution."""

import pytest
import torch
from pillow import one_by_one
from torchvision import transforms
from torchvision.transforms import functional as F

from ladder import cards
from ladder.cards.augmentations import augment
from ladder.lanes import draws

COUNT = 64


@pytest.fixture(scope="module")
def images():
    return torch.randint(0, 256, (COUNT, 1, 28, 28), dtype=torch.uint8, generator=torch.Generator().manual_seed(1))


def uniforms(vectors):
    """Return what an augmentation draws: `vectors` vectors of one float64 an image, from seed 5."""
    generator = draws.generator(5)
    return [draws.uniform(COUNT, generator) for _ in range(vectors)]


def augmented(images, steps):
    return augment(images, steps, draws.generator(5))


def test_rotation_then_rotation_is_two_of_torchvisions(images):
    steps = [cards.Rotate(degrees=6.9, fill=1), cards.Rotate(degrees=15.0)]
    first, second = (2 * uniform - 1 for uniform in uniforms(2))

    def twice(picture, n):
        once = F.rotate(picture, 6.9 * first[n].item(), fill=[1])
        return F.rotate(once, 15 * second[n].item(), fill=[0])

    assert torch.equal(augmented(images, steps), one_by_one(images, twice))


@pytest.mark.parametrize("size", [22, 21, 14])
def test_centre_crop_of_the_chosen_is_torchvisions_then_resized(images, size):
    chosen = uniforms(1)[0] < 0.3
    crop = transforms.Compose([transforms.CenterCrop(size), transforms.Resize((28, 28))])
    expected = one_by_one(images, lambda picture, n: crop(picture) if chosen[n] else picture)
    assert 0 < chosen.sum() < COUNT
    assert torch.equal(augmented(images, [cards.CenterCrop(size=size, p=0.3)]), expected)


def test_crop_then_rotation_is_the_order_of_the_steps(images):
    crop, rotation = cards.CenterCrop(size=22, p=1.0), cards.Rotate(degrees=15.0, fill=1)
    _, uniform = uniforms(2)

    def both(picture, n):
        resized = F.resize(F.center_crop(picture, [22, 22]), [28, 28])
        return F.rotate(resized, 15 * (2 * uniform[n].item() - 1), fill=[1])

    assert torch.equal(augmented(images, [crop, rotation]), one_by_one(images, both))


def test_affine_draws_angle_shift_scale_and_shear_in_torchvisions_meaning(images):
    images = images.clone()
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

    ours = augmented(images, [cards.Affine(degrees=10.0, translate=2, scale=0.1, shear=15.0)])
    assert (ours.int() - one_by_one(images, moved).int()).abs().max() <= 2


@pytest.mark.parametrize("reach", [1, 2, 30])
def test_affine_that_only_translates_has_torchvisions_pixels(images, reach):
    _, x, y, _, _ = uniforms(5)

    def moved(picture, n):
        shifts = [int((2 * reach + 1) * draw[n]) - reach for draw in (x, y)]
        return F.affine(picture, angle=0.0, translate=shifts, scale=1.0, shear=[0.0, 0.0])

    assert torch.equal(augmented(images, [cards.Affine(translate=reach)]), one_by_one(images, moved))


def test_affine_that_only_translates_moves_by_whole_pixels_each_as_often():
    """A single bright pixel tells where its image went."""
    images = torch.zeros(20000, 1, 28, 28, dtype=torch.uint8)
    images[:, :, 14, 14] = 255
    moved = augmented(images, [cards.Affine(translate=2)])
    places = (moved == 255).nonzero()
    assert len(places) == len(images)
    counts = ((places[:, 2] - 12) * 5 + places[:, 3] - 12).bincount(minlength=25)
    assert len(counts) == 25
    assert ((counts - 800).abs() < 4.5 * (800 * 24 / 25) ** 0.5).all()


def test_crop_is_applied_as_often_as_said():
    many = torch.randint(0, 256, (20000, 1, 28, 28), dtype=torch.uint8)
    cropped = augmented(many, [cards.CenterCrop(size=22, p=0.1)])
    share = (cropped != many).flatten(1).any(1).float().mean().item()
    assert abs(share - 0.1) < 4 * (0.1 * 0.9 / 20000) ** 0.5


def test_angles_fill_their_range_evenly():
    """A single bright pixel right of the centre tells its image's angle by where it ends."""
    images = torch.zeros(4000, 1, 28, 28, dtype=torch.uint8)
    images[:, :, 14, 27] = 255
    turned = augmented(images, [cards.Rotate(degrees=30.0)])
    rows = [(turned[n, 0] == 255).nonzero()[:, 0].float().mean().item() for n in range(4000)]
    angles = torch.rad2deg(torch.asin((14 - torch.tensor(rows)).div(13.5).clamp(-1, 1)))
    angles = angles[angles.isfinite()]
    assert angles.min() < -25
    assert angles.max() > 25
    assert abs(angles.mean()) < 1.5
    assert abs(angles.std() - 60 / 12**0.5) < 1.5


def test_no_augmentation_changes_nothing(images):
    assert torch.equal(augmented(images, []), images)
