"""Trained networks for the page: the numbers, and the calls into the kernels that they come down to.

A network is one random seed of a rung after its last epoch, found in the first of these places:
- models/<rung>.safetensors, published: the metadata has the recipe and the seed;
- data/models/, where the pipeline's default rung is trained;
- .runs/, the store of this machine.
"""

import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from ladder import cards
from ladder.board.page import behind
from ladder.comparison.reports import Report
from ladder.data.splits import read_split
from ladder.exceptions import LadderError
from ladder.files import read_yaml
from ladder.lanes.blocks import LANES, Block, sizes_of
from ladder.lanes.network import blocks_in
from ladder.models.prepare import FIELD
from ladder.models.weights import PUBLISHED, Model, on_cpu, read_default, read_published
from ladder.network.build import build
from ladder.network.inference import values_of
from ladder.paths import REPORTS, model_path, processed_folder
from ladder.runs import store
from ladder.site.data_sets import DataSet, read_rows

LARGEST = 16_000  # parameters; more would make the answer late
MOST = 10  # networks, of 60 kB at most, so that the page stays below 2 MB


@dataclass(frozen=True)
class Network:
    """A trained Model, and the folder whose errors.csv tells which images it misreads."""

    model: Model
    report: Path

    @property
    def rung(self) -> str:
        return self.model.name


def networks(data: DataSet, reports: Mapping[str, Report]) -> list[Network]:
    """Return the networks that the page runs, one a rung, those with the highest committed accuracy first.

    The published ones come before others where there are more than `MOST`. reports: {rung: Report} of the climbed
    rungs. Those behind their cards are not looked for in the store.
    """
    if not data.drawable:
        return []
    models = [read_published(path.stem) for path in sorted(PUBLISHED.glob("*.safetensors"))]
    found = [Network(model, data.reports / model.name) for model in models if model.name in reports]
    found += [network for network in _default(data) if network.rung not in _rungs(found)]
    stored = _stored(data, [rung for rung in reports if rung not in _rungs(found).union(behind(reports))])
    found = list(filter(_runs_in_page, found + sorted(stored, key=_accuracy, reverse=True)))
    return sorted(found[:MOST], key=_accuracy, reverse=True)


def packed(network: Network) -> dict:
    """Return a Network as the page's script reads it, with bytes and float32 numbers as such; see files/network.js.

    steps: one for each call: a C struct for a block, where its parts begin in `numbers`, and the size of its output;
    or the name of a function. expected: the rows of errors.csv of this seed, or None where they are of other bits.
    """
    recipe, numbers, steps = network.model.recipe, [], []
    for block, product, norm in blocks_in(network.model.network(), (1, recipe.input.size, recipe.input.size)):
        steps.append({"function": block} if isinstance(block, str) else _step(block, product, norm, numbers))
    return {
        "rung": recipe.rung,
        "seed": network.model.seed,
        "parameters": cards.parameters(recipe),
        "accuracy": round(_accuracy(network), 2),
        "expected": _expected(network),
        "values": values_of(recipe)[0].numpy().tobytes(),
        "steps": steps,
        "numbers": torch.cat(numbers).numpy().tobytes(),
    }


def _step(block: Block, product, norm, numbers: list[Tensor]) -> dict:
    """Return a block's call, and append its numbers, each part from a multiple of 16 floats on."""
    parts = {"weight": product and product.weight, "bias": product and product.bias}
    if norm is not None:
        parts |= {"gamma": norm.weight, "beta": norm.bias, "mean": norm.running_mean, "variance": norm.running_var}
    begins = {}
    for name, part in parts.items():
        if part is not None:
            begins[name] = sum(map(len, numbers))
            flat = part.detach().flatten()
            numbers.append(torch.cat([flat, flat.new_zeros(-len(flat) % LANES)]))
    channels, rows, columns = block.shape
    return {"block": sizes_of(block, LANES), "begins": begins, "outputs": channels * rows * columns}


def _rungs(found):
    return {network.rung for network in found}


def _runs_in_page(network):
    recipe = network.model.recipe
    if recipe.input.size != FIELD or cards.parameters(recipe) > LARGEST:  # the page does not resize
        return False
    try:
        blocks_in(build(recipe, seed=0), (1, FIELD, FIELD))
    except LadderError as error:  # a word without a kernel
        print(f"page: {recipe.rung} cannot be run in the page: {error}", file=sys.stderr)
        return False
    return True


def _default(data):
    """Return a list with the network that the pipeline trained, where it is on this machine."""
    plan = REPORTS / "recipe.yaml"
    if not plan.is_file() or (recipe := cards.read_recipe(plan)).data != data.name:
        return []
    trained = model_path(0, recipe.epochs)
    return [Network(read_default(), REPORTS)] if trained.is_file() else []


def _stored(data, rungs):
    """Return the networks of seed 0 that the store on this machine holds; none without the training images."""
    if not store.RUNS.is_dir() or not (processed_folder(data.name) / "train.safetensors").is_file():
        return []
    train, found = read_split("train", data.name), []
    for rung in rungs:
        folder = data.reports / rung
        recipe = cards.read_recipe(folder / "recipe.yaml")
        run = store.folder_of(recipe, train, 0)
        epochs = store.load(run, recipe.epochs) if run.is_dir() else []
        if len(epochs) == recipe.epochs:
            found.append(Network(Model(on_cpu(recipe), 0, epochs[-1].weights), folder))
    return found


def _expected(network):
    """Return the lines "index,label,prediction,confidence" of the seed's misread images, as errors.csv has them."""
    committed = read_yaml(network.report / "recipe.yaml")  # of an older version, perhaps, with words of its own
    if committed.get("fingerprint") != network.model.recipe.fingerprint:
        return None
    rows = read_rows(network.report / "errors.csv")
    columns = ("index", "label", "prediction", "confidence")
    return [",".join(row[key] for key in columns) for row in rows if int(row["seed"]) == network.model.seed]


def _accuracy(network):
    """Return the accuracy in percent that is committed of this seed's last epoch, or 0 where there is none."""
    rows = read_rows(network.report / "curves.csv")
    return next((float(row["accuracy"]) for row in reversed(rows) if int(row["seed"]) == network.model.seed), 0.0)
