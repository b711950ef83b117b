"""Trained models: the one that the pipeline has just trained, and those published in models/."""

import json
from dataclasses import dataclass
from pathlib import Path

import safetensors
import torch
from torch import Tensor, nn

from ladder import cards
from ladder.cards import Recipe, recipe_content
from ladder.data.tensors import read_tensors, write_tensors
from ladder.exceptions import LadderError
from ladder.network.build import build
from ladder.network.inference import infer, prepare, probabilities
from ladder.paths import DEFAULT_DATA, REPORTS, model_path

PUBLISHED = Path("models")
LARGEST = 100_000  # bytes of a file that Git is to keep


@dataclass(frozen=True)
class Model:
    """A trained network: its Recipe, the random seed it was trained from, and its weights by the network's names."""

    recipe: Recipe
    seed: int
    weights: dict[str, Tensor]

    @property
    def name(self) -> str:
        """The rung's name."""
        return self.recipe.rung

    def probabilities(self, images: Tensor) -> Tensor:
        """Return class probabilities float64 [N, classes] of uint8 images [N, C, S, S], as the engine computes them."""
        torch.set_num_threads(1)
        return probabilities(self.recipe, infer(self.network(), prepare(images, self.recipe), self.recipe))

    def network(self) -> nn.Module:
        """Return the network with its weights. Raises LadderError where they are of another network."""
        network = build(self.recipe, seed=0)
        try:
            network.load_state_dict(self.weights)
        except RuntimeError:
            raise LadderError(f"the weights of {self.name} do not fit its recipe; train it anew") from None
        return network


def find(name: str | None = None) -> Model:
    """Return the published Model of a rung, or where `name` is None the default one. Raises LadderError."""
    return read_published(name) if name else read_default()


def read_default() -> Model:
    """Return what the pipeline trained last: seed 0 after its last epoch. Raises LadderError where it is not there."""
    plan, where = REPORTS / "recipe.yaml", "`make repro` trains the default model, or name a published one"
    if not plan.is_file():
        raise LadderError(f"there is no {plan}; {where}")
    recipe = on_cpu(cards.read_recipe(plan))
    if recipe.data != DEFAULT_DATA:
        raise LadderError(f"{plan} is of {recipe.data}; models of {DEFAULT_DATA} alone can be used so yet: {where}")
    path = model_path(0, recipe.epochs)
    if not path.is_file():
        raise LadderError(f"there is no {path}; {where}: {_published()}")
    return Model(recipe, 0, read_tensors(path))


def read_published(name: str) -> Model:
    """Return the Model in models/<name>.safetensors. Raises LadderError where there is none, or it is damaged."""
    path = published_path(name)
    if not path.is_file():
        raise LadderError(f"there is no {path}; {_instead_of(name)}")
    try:
        with safetensors.safe_open(path, "pt") as file:
            about = json.loads(file.metadata()["about"])
        recipe, seed = about["recipe"], int(about["seed"])
    except (safetensors.SafetensorError, OSError, KeyError, TypeError, ValueError):
        raise LadderError(f"{path}: damaged, or not from `python -m commands.publish`; `git restore {path}`") from None
    return Model(on_cpu(cards.validated(Recipe, recipe, path)), seed, read_tensors(path))


def write_published(model: Model) -> Path:
    """Write models/<rung>.safetensors, its metadata the recipe and the seed; return the path.

    The same model gives the same bytes. Raises LadderError where it is too large for Git.
    """
    size = sum(tensor.numel() * tensor.element_size() for tensor in model.weights.values())
    if size > LARGEST - 5_000:  # the header takes up to that
        raise LadderError(f"{model.name}: {size:,} bytes of weights; published ones have less than {LARGEST:,}")
    path = published_path(model.name)
    about = {"recipe": recipe_content(model.recipe), "seed": model.seed}
    write_tensors(path, model.weights, json.dumps(about))
    return path


def published_path(name: str) -> Path:
    """Return where the published weights of a rung are."""
    return PUBLISHED / f"{name}.safetensors"


def on_cpu(recipe: Recipe) -> Recipe:
    """Return a Recipe that computes on the CPU, wherever it was trained."""
    return recipe.model_copy(update={"device": "cpu"})


def _instead_of(name):
    """Return what its user may have meant by a model that is not published."""
    add = f"; `python -m commands.publish {name}` adds one" if name in cards.rung_names() else ""
    return f"published are: {_published()}{add}"


def _published():
    return ", ".join(sorted(path.stem for path in PUBLISHED.glob("*.safetensors"))) or "none"
