"""The augmentations that a card can name, one class each: arguments and what becomes of a batch of images."""

from typing import TYPE_CHECKING, Annotated, ClassVar

from pydantic import Field, model_validator

from ladder.cards.schema import Count, Word

if TYPE_CHECKING:
    from torch import Generator, Tensor


class Augmentation(Word):
    """Changes each image of a batch by random parameters of its own."""

    def check(self, size: int) -> None:
        """Raise ValueError where images of size x size pixels cannot be augmented so."""

    def __call__(self, images: "Tensor", generator: "Generator") -> "Tensor":
        """Return uint8 images [N, 1, S, S] augmented; random numbers are drawn on the images' device."""
        raise NotImplementedError(f"{self.name} has no meaning in torch yet")


class Rotate(Augmentation):
    """Rotate each image about its centre by its own angle, uniform in ±degrees; nearest pixel; `fill` outside."""

    name: ClassVar = "rotate"
    degrees: Annotated[float, Field(gt=0, le=180)]
    fill: Annotated[int, Field(ge=0, le=255)] = 0

    def __call__(self, images, generator):
        from ladder.pixels.resample import rotate

        uniform = _uniform(images, generator)
        return rotate(images, (2 * uniform - 1) * self.degrees, self.fill)


class CenterCrop(Augmentation):
    """With probability `p`, cut out the central size x size pixels and resize them, bilinearly, to the image."""

    name: ClassVar = "center_crop"
    size: Count
    p: Annotated[float, Field(ge=0, le=1)]

    def check(self, size):
        if self.size > size:
            raise ValueError(f"center_crop size {self.size} is larger than the image, {size}")

    def __call__(self, images, generator):
        from ladder.pixels.resample import resize

        chosen = _uniform(images, generator) < self.p
        side = images.shape[-1]
        # a torchvision CenterCrop of an odd margin rounds half to even
        start = round((side - self.size) / 2)
        crop = images[chosen][..., start : start + self.size, start : start + self.size]
        return images.index_put((chosen,), resize(crop, side))


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
        import torch

        from ladder.pixels.resample import affine, shift

        angle, x, y, scale, shear = (_uniform(images, generator) for _ in range(5))
        choices = 2 * self.translate + 1
        shifts = torch.stack([x, y]).mul_(choices).floor_().sub_(self.translate)
        if not (self.degrees or self.scale or self.shear):
            return shift(images, shifts.to(torch.int64), self.translate)  # the same pixels, but faster
        return affine(
            images,
            (2 * angle - 1) * (self.degrees / 180),
            shifts,
            1 + (2 * scale - 1) * self.scale,
            (2 * shear - 1) * (self.shear / 180),
        )


def _uniform(images: "Tensor", generator: "Generator") -> "Tensor":
    """Return one float64 in [0, 1) for each image [N], on the images' device."""
    import torch

    return torch.rand(len(images), dtype=torch.float64, device=images.device, generator=generator)
