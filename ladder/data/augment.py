"""Random augmentation of a batch: draw the parameters, then move the pixels."""

import torch

from ladder.cards import Affine, CenterCrop, Rotate
from ladder.pixels.resample import affine, resize, rotate, shift


def augment(images, steps, generator):
    """Return a batch of uint8 images [N, 1, S, S] augmented by a Recipe's `augment` steps, in their order.

    Every image draws its own parameters from `generator`, on the images' device.
    """
    for step in steps:
        images = _AUGMENTATIONS[type(step)](images, step, generator)
    return images


def _rotate(images, step, generator):
    uniform = _uniform(len(images), images.device, generator)
    return rotate(images, (2 * uniform - 1) * step.degrees, step.fill)


def _center_crop(images, step, generator):
    chosen = _uniform(len(images), images.device, generator) < step.p
    side = images.shape[-1]
    # a torchvision CenterCrop of an odd margin rounds half to even
    start = round((side - step.size) / 2)
    crop = images[chosen][..., start : start + step.size, start : start + step.size]
    return images.index_put((chosen,), resize(crop, side))


def _affine(images, step, generator):
    angle, x, y, scale, shear = (_uniform(len(images), images.device, generator) for _ in range(5))
    choices = 2 * step.translate + 1
    shifts = torch.stack([x, y]).mul_(choices).floor_().sub_(step.translate)
    if not (step.degrees or step.scale or step.shear):
        return shift(images, shifts.to(torch.int64), step.translate)  # the same pixels, sooner
    return affine(
        images,
        (2 * angle - 1) * (step.degrees / 180),
        shifts,
        1 + (2 * scale - 1) * step.scale,
        (2 * shear - 1) * (step.shear / 180),
    )


def _uniform(count, device, generator):
    return torch.rand(count, dtype=torch.float64, device=device, generator=generator)


_AUGMENTATIONS = {Rotate: _rotate, CenterCrop: _center_crop, Affine: _affine}
