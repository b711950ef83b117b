"""The augmentations that a card can name, one class each: arguments and what becomes of a batch of images."""

from collections.abc import Iterable
from typing import TYPE_CHECKING, Annotated, ClassVar

from pydantic import Field, model_validator

from ladder.cards.schema import Count, Word

if TYPE_CHECKING:
    from numpy.random import BitGenerator
    from torch import Tensor


class Augmentation(Word):
    """Changes each image of a batch by random parameters of its own."""

    # Bits that are to be the same on every machine need the functions of ladder/lanes, or integers alone.

    def check(self, size: int) -> None:
        """Raise ValueError where images of size x size pixels cannot be augmented so."""

    def __call__(self, images: "Tensor", generator: "BitGenerator") -> "Tensor":
        """Return uint8 images [N, C, S, S], on the CPU, augmented. generator: from ladder.lanes.draws."""
        raise NotImplementedError(f"{self.name} has no meaning yet")


class Rotate(Augmentation):
    """Rotate each image about its centre by its own angle, uniform in ±degrees; nearest pixel; `fill` outside."""

    name: ClassVar = "rotate"
    degrees: Annotated[float, Field(gt=0, le=180)]
    fill: Annotated[int, Field(ge=0, le=255)] = 0

    def __call__(self, images, generator):
        from ladder.lanes.draws import uniform
        from ladder.lanes.resample import rotate

        return rotate(images, (2 * uniform(len(images), generator) - 1) * self.degrees, self.fill)


class CenterCrop(Augmentation):
    """With probability `p`, cut out the central size x size pixels and resize them, bilinearly, to the image."""

    name: ClassVar = "center_crop"
    size: Count
    p: Annotated[float, Field(ge=0, le=1)]

    def check(self, size):
        if self.size > size:
            raise ValueError(f"center_crop size {self.size} is larger than the image, {size}")

    def __call__(self, images, generator):
        from ladder.lanes.draws import uniform
        from ladder.lanes.resample import center_crop

        return center_crop(images, uniform(len(images), generator) < self.p, self.size)


class Affine(Augmentation):
    """Rotate, scale, shear and shift each image at once, bilinearly, with black outside.

    Every image draws its own parameters, all uniform: an angle in ±degrees about the centre; a whole number of pixels
    in ±translate on each axis; a factor in 1 ± scale; an angle of shear along x in ±shear degrees.
    """

    name: ClassVar = "affine"
    degrees: Annotated[float, Field(ge=0, le=180)] = 0.0
    translate: Annotated[int, Field(ge=0, le=100)] = 0
    scale: Annotated[float, Field(ge=0, le=0.5)] = 0.0
    shear: Annotated[float, Field(ge=0, le=45)] = 0.0

    @model_validator(mode="after")
    def _moves_something(self):
        if not (self.degrees or self.translate or self.scale or self.shear):
            raise ValueError(f"nothing to do; give {', '.join(Affine.model_fields)} or several of them")
        return self

    def __call__(self, images, generator):
        from ladder.lanes.draws import uniform
        from ladder.lanes.resample import affine, shift

        draws = uniform(5 * len(images), generator).view(5, -1)
        angle, _, _, scale, shear = draws
        shifts = (draws[1:3] * (2 * self.translate + 1)).floor() - self.translate
        if not (self.degrees or self.scale or self.shear):
            return shift(images, shifts)  # the same pixels, but faster
        return affine(
            images,
            (2 * angle - 1) * (self.degrees / 180),
            shifts,
            1 + (2 * scale - 1) * self.scale,
            (2 * shear - 1) * (self.shear / 180),
        )


def augment(images: "Tensor", steps: Iterable[Augmentation], generator: "BitGenerator") -> "Tensor":
    """Return a batch of uint8 images [N, C, S, S] augmented by a Recipe's `augment` steps, in their order.

    Every image draws its own parameters.
    """
    for step in steps:
        images = step(images, generator)
    return images
