"""Read the digit in pictures. Prints the class, the probabilities of all ten, how the picture was prepared, and a
warning where it may be no single digit.

Usage:  python -m commands.predict seven.png another.png
        python -m commands.predict --model champion --json seven.png
Reads:  PNG files; models/<model>.safetensors, or without --model what `make repro` trained: reports/recipe.yaml and
        data/models/
Writes: nothing

A picture shows one digit, in any colours, of any size, anywhere. It is made as MNIST's images are: the digit white on
black, fitted into a box of 20 x 20 pixels, centred by mass in 28 x 28.
"""

import argparse
import json
from pathlib import Path
from typing import TYPE_CHECKING

from ladder.command import name, parser, run_stage
from ladder.exceptions import LadderError

if TYPE_CHECKING:
    from ladder.models.prepare import Prepared


def arguments(given: list[str] | None = None) -> argparse.Namespace:
    """Return the command line's arguments. A wrong one ends the program with exit code 2."""
    reader = parser("commands.predict", __doc__)
    reader.add_argument("images", nargs="+", type=picture, metavar="image.png", help="pictures of one digit each")
    reader.add_argument("--model", type=name, metavar="RUNG", help="a published model; without it the one just trained")
    reader.add_argument("--json", action="store_true", help="print the same facts as JSON")
    return reader.parse_args(given)


def picture(text: str) -> Path:
    """Return an argument that names a file. Raises argparse's error for `-`, which elsewhere is standard input."""
    if text == "-":
        raise argparse.ArgumentTypeError("standard input is not read; name a file")
    return Path(text)


def prepared(path: Path) -> "Prepared":
    """Return the Prepared of a PNG file. Raises LadderError that names the file."""
    from ladder.models.pictures import read_png
    from ladder.models.prepare import prepare

    pixels = read_png(path)
    try:
        return prepare(pixels)
    except LadderError as error:
        raise LadderError(f"{path}: {error}") from None


def told(fact: dict) -> str:
    """Return what is printed of a picture; fact: as in the JSON."""
    percents = [100 * probability for probability in fact["probabilities"]]
    of_each = "  ".join(f"{label}: {percent:.1f}" for label, percent in enumerate(percents))
    warning = (
        f"\n  warning: this may be no single digit, or misread: {'; '.join(fact['doubts'])}" if fact["doubts"] else ""
    )
    return f"{fact['image']}: {fact['class']} ({max(percents):.1f} %)\n  {of_each}\n  {fact['prepared']}{warning}"


def main(given: list[str] | None = None) -> None:
    asked = arguments(given)
    pictures = [prepared(path) for path in asked.images]
    # these import torch, two seconds that a wrong picture saves
    import numpy as np
    import torch

    from ladder.models import weights
    from ladder.models.doubts import doubts

    model = weights.find(asked.model)
    images = torch.from_numpy(np.stack([picture.image for picture in pictures])).unsqueeze(1)
    facts = [
        {
            "image": str(path),
            "class": int(of_image.argmax()),
            "probabilities": [round(value, 6) for value in of_image.tolist()],
            "prepared": picture.told(),
            "doubts": doubts(picture.image, float(of_image.max())),
        }
        for path, picture, of_image in zip(asked.images, pictures, model.probabilities(images), strict=True)
    ]
    if asked.json:
        print(json.dumps({"model": model.name, "seed": model.seed, "images": facts}, indent=2, ensure_ascii=False))
    else:
        print(f"model: {model.name}, seed {model.seed}", *map(told, facts), sep="\n")


if __name__ == "__main__":
    run_stage("predict", main)
