"""The oracle for images: torchvision's transforms of one Pillow image at a time."""

import torch
from torchvision.transforms import functional as F


def one_by_one(images, transform):
    """Return uint8 images [N, 1, S, S], each changed by transform(Pillow image, its number)."""
    pictures = [transform(F.to_pil_image(image), number) for number, image in enumerate(images)]
    return torch.stack([F.pil_to_tensor(picture) for picture in pictures])
