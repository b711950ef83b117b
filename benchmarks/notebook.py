"""The loop of the sources' notebooks, written out: what everybody writes first, of torch's and torchvision's parts."""

import os
from typing import TYPE_CHECKING

import torch
from PIL import Image
from torch import nn
from torch.nn import functional as F
from torch.utils.data import DataLoader
from torchvision import transforms
from tqdm import tqdm

from ladder import cards
from ladder.cards import Recipe, layer_table
from ladder.cards.operations import Conv

if TYPE_CHECKING:
    from benchmarks.throughput import Clock


def loop(
    recipe: Recipe, images: torch.Tensor, labels: torch.Tensor, workers: int, batch_size: int, clock: "Clock"
) -> None:
    """Train batches in the loop of the sources' notebooks until `clock` says that it was the last one.

    The loader transforms one Pillow image after another; layers, loss and optimizer are torch's defaults; the
    progress bar asks for the loss and the accuracy after every batch.
    """
    dataset = Pictures(images, labels, transforms_of(recipe))
    loader = DataLoader(dataset, batch_size, shuffle=True, num_workers=workers)
    model = network_of(recipe)
    optimizer = optimizer_of(recipe, model)
    model.train()
    correct = processed = 0
    with open(os.devnull, "w") as nowhere:
        bar = tqdm(loader, file=nowhere)
        for number, (data, target) in enumerate(bar):
            optimizer.zero_grad()
            output = model(data)
            loss = F.nll_loss(output, target)
            loss.backward()
            optimizer.step()
            predicted = output.argmax(dim=1, keepdim=True)
            correct += predicted.eq(target.view_as(predicted)).sum().item()
            processed += len(data)
            bar.set_description(f"loss {loss.item():.4f} batch {number} accuracy {100 * correct / processed:.2f}")
            if clock.lap():
                return


class Pictures:
    """A dataset of Pillow images, as torchvision's MNIST class makes them."""

    def __init__(self, images, labels, transform):
        self.images, self.labels, self.transform = images, labels, transform

    def __len__(self):
        return len(self.labels)

    def __getitem__(self, index):
        return self.transform(Image.fromarray(self.images[index, 0].numpy())), int(self.labels[index])


def transforms_of(recipe: Recipe) -> transforms.Compose:
    """Return a recipe's augmentation and normalisation as torchvision transforms."""
    steps = []
    for step in recipe.augment:
        if isinstance(step, cards.Rotate):
            steps.append(transforms.RandomRotation((-step.degrees, step.degrees), fill=(step.fill,)))
        else:
            steps.append(transforms.RandomApply([transforms.CenterCrop(step.size)], p=step.p))
            steps.append(transforms.Resize((28, 28)))
    normalise = transforms.Normalize((recipe.input.mean,), (recipe.input.std,))
    return transforms.Compose([*steps, transforms.ToTensor(), normalise])


def network_of(recipe: Recipe) -> nn.Sequential:
    """Return a recipe's network of torch's own layers, in torch's own memory layout."""
    make = {
        "conv": lambda row: nn.Conv2d(row.in_shape[0], row.layer.out, **convolution(row.layer)),
        "batch_norm": lambda row: nn.BatchNorm2d(row.in_shape[0]),
        "relu": lambda row: nn.ReLU(),
        "dropout": lambda row: nn.Dropout(row.layer.p),
        "max_pool": lambda row: nn.MaxPool2d(row.layer.kernel, row.layer.stride),
        "avg_pool": lambda row: nn.AvgPool2d(row.layer.kernel, row.layer.stride),
        "global_avg_pool": lambda row: nn.AdaptiveAvgPool2d(1),
        "flatten": lambda row: nn.Flatten(),
        "log_softmax": lambda row: nn.LogSoftmax(dim=-1),
    }
    return nn.Sequential(*(make[row.layer.name](row) for row in layer_table(recipe)))


def convolution(layer: Conv) -> dict:
    """Return a convolution's arguments beside its channels."""
    arguments = layer.model_dump(exclude={"out"})
    return arguments | {"kernel_size": arguments.pop("kernel")}


def optimizer_of(recipe: Recipe, model: nn.Module) -> torch.optim.Optimizer:
    """Return a recipe's optimizer as torch makes it unless told otherwise."""
    if isinstance(recipe.optimizer, cards.Sgd):
        momentum = recipe.optimizer.momentum
        return torch.optim.SGD(model.parameters(), lr=recipe.learning_rate, momentum=momentum)
    return torch.optim.Adam(model.parameters(), lr=recipe.learning_rate)
