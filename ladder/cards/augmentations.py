"""The augmentations that a card can name."""

from typing import Annotated, ClassVar

from pydantic import (
    Field,
    model_validator,
)

from ladder.cards.schema import Count, Strict


class Rotate(Strict):
    """Rotate each image about its centre by its own angle, uniform in ±degrees; nearest pixel; `fill` outside."""

    name: ClassVar = "rotate"
    degrees: Annotated[float, Field(gt=0, le=180)]
    fill: Annotated[int, Field(ge=0, le=255)] = 0


class CenterCrop(Strict):
    """With probability `p`, cut out the central size x size pixels and resize them, bilinearly, to the image."""

    name: ClassVar = "center_crop"
    size: Count
    p: Annotated[float, Field(ge=0, le=1)]


class Affine(Strict):
    """Turn, scale, shear and move each image at once, bilinearly, black outside; every image draws its own.

    degrees: turned about the centre by an angle in ±degrees. translate: moved by a whole number of pixels in
    ±translate on each axis. scale: enlarged by a factor in 1 ± scale. shear: sheared along x by an angle in
    ±shear, degrees. All are uniform.
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
