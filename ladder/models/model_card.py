"""The card of a published model: what it expects, how good it is, and by whom it may be used."""

from ladder.cards import parameters
from ladder.models.layers import normalisation
from ladder.models.prepare import FIELD
from ladder.models.weights import Model, published_path


def model_card(model: Model, title: str, misread: int, images: int, sha256: str) -> str:
    """Return models/<rung>.md. title: the rung's; misread: how many of so many test images; sha256: of the weights."""
    recipe, path = model.recipe, published_path(model.name)
    size = recipe.input.size
    resized = f" The network itself resizes it to {size}×{size}." if size != FIELD else ""
    accuracy = 100 * (1 - misread / images)
    mean, std = normalisation(recipe.input)
    return f"""# {model.name}: {title}

<!-- Made by `python -m commands.publish {model.name} --seed {model.seed}`. -->

A network that reads one handwritten digit. It has {parameters(recipe):,} parameters, and was trained from random seed
{model.seed} for {recipe.epochs} epochs on MNIST's training images. The recipe is in
[rungs/cards/{model.name}.yaml](../rungs/cards/{model.name}.yaml), and whole in the metadata of the weights.

| | |
|---|---|
| weights | [{path.name}]({path.name}), safetensors, float32 |
| SHA-256 | `{sha256}` |
| accuracy | {accuracy:.2f} % of MNIST's {images:,} test images, {misread} misread: of this one seed |
| other seeds | [reports/ladder.md](../reports/ladder.md) has their mean and interval |

**What it expects.** {FIELD}×{FIELD} grey pixels from 0 to 255, the digit white on black, fitted into a box of 20×20
pixels with its aspect ratio kept, and centred by its mass.{resized} A pixel is divided by 255; then
{mean:g} is subtracted, and the result is divided by {std:g}. `python -m commands.predict`
prepares any picture so. [docs/use_the_model.md](../docs/use_the_model.md) shows other ways to use the model.

**What it gives.** Ten probabilities, of the digits 0 to 9. It cannot say that a picture shows no digit: it names
one for any picture.

**What it is not for.** It has seen digits written by American pupils and clerks around 1990, one at a time. Nobody has
measured how it reads other hands, photographs or numbers of several digits. Nothing of importance should depend on it
alone.

**By whom it may be used.** By anybody, under the MIT license of this repository. MNIST, which it was trained on, is by
Yann LeCun, Corinna Cortes and Christopher J. C. Burges, under CC BY-SA 3.0.
"""
