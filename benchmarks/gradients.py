"""Print how far one batch's gradients of net9 are from float64's, for three ways to compute them in float32.

    python -m benchmarks.gradients      # needs data/processed/, which `dvc repro preprocess` makes

Relative Euclidean distance over all weights, one thread, no dropout: the error of torch's own batch normalisation in
channels_last memory is why the run has a normalisation of its own (ladder/network/layers.py).
"""

import torch
from torch.nn import functional as F

from benchmarks.notebook import network_of
from benchmarks.throughput import data
from ladder import cards
from ladder.network.build import build
from ladder.network.inference import normalise


def errors(images, labels):
    """Return {how: relative error} of the gradients of a batch: uint8 images [B, 1, 28, 28], labels [B]."""
    recipe = cards.resolve("net9")
    recipe = recipe.model_copy(update={"network": [layer for layer in recipe.network if layer.name != "dropout"]})
    ours = build(recipe, seed=0)
    weights = [tensor.clone() for tensor in ours.state_dict().values()]
    batch = normalise(images, recipe), labels.to(torch.int64)
    exact = gradients(network_of(recipe), weights, *batch, dtype=torch.float64)
    found = {
        "torch's layers, contiguous": gradients(network_of(recipe), weights, *batch),
        "torch's layers, channels_last": gradients(network_of(recipe), weights, *batch, layout=torch.channels_last),
        "the run's layers": gradients(ours, weights, *batch, layout=torch.channels_last),
    }
    return {name: ((of - exact).norm() / exact.norm()).item() for name, of in found.items()}


def gradients(model, weights, images, labels, dtype=torch.float32, layout=torch.contiguous_format):
    """Return all gradients of a model with these weights, end to end, in float64."""
    model.load_state_dict(dict(zip(model.state_dict(), weights, strict=True)))
    model.to(dtype=dtype, memory_format=layout)
    F.nll_loss(model(images.to(dtype)), labels).backward()
    return torch.cat([parameter.grad.flatten().to(torch.float64) for parameter in model.parameters()])


def main():
    torch.set_num_threads(1)
    images, labels = data()
    for name, error in errors(images[:128], labels[:128]).items():
        print(f"{name:32} {error:.1e}")


if __name__ == "__main__":
    main()
