"""What a run's weights are worth on images: accuracy, loss, predictions."""

from dataclasses import dataclass

import numpy as np
import torch

from ladder.cards import Recipe
from ladder.data.holdout import holdout_mask
from ladder.data.splits import Split
from ladder.network.build import build
from ladder.network.inference import accuracy, infer, prepare, probabilities
from ladder.network.losses import loss_of


@dataclass(frozen=True)
class Measured:
    """One run on the test images, and its last weights on the images it was trained on.

    accuracy, loss: one value an epoch, in percent and as the mean of the recipe's loss.
    predictions (int64 [N]) and confidences (float32 [N], the probability of the predicted class) are of the last
    epoch. They are NumPy arrays, which travel between processes as plain bytes.
    train_accuracy: percent, in eval mode, on images without augmentation and without the holdout.
    """

    accuracy: list[float]
    loss: list[float]
    predictions: np.ndarray
    confidences: np.ndarray
    train_accuracy: float


def measure(recipe: Recipe, weights: list[dict], train: Split, test: Split) -> Measured:
    """Return what a run is worth.

    weights: the network's state after each epoch.
    """
    torch.set_num_threads(1)
    model = build(recipe, seed=0)
    images, labels = prepare(test.images, recipe), test.labels.to(recipe.device, torch.int64)
    accuracies, losses = [], []
    for state in weights:
        model.load_state_dict(state)
        outputs = infer(model, images, recipe)
        losses.append(loss_of(recipe, outputs, labels)[1])
        accuracies.append(accuracy(outputs, labels))
    predictions = outputs.argmax(1)
    confidences = probabilities(recipe, outputs).gather(1, predictions.unsqueeze(1)).squeeze(1)
    seen = train.pick(~holdout_mask(train, recipe.holdout))
    on_train = infer(model, prepare(seen.images, recipe), recipe)
    return Measured(
        accuracies,
        losses,
        predictions.cpu().numpy(),
        confidences.cpu().numpy(),
        accuracy(on_train, seen.labels.to(recipe.device)),
    )


def accuracy_of(recipe: Recipe, weights: dict, images: torch.Tensor, labels: torch.Tensor) -> float:
    """Return the accuracy in percent of one state of a network on uint8 images [N, C, S, S] with labels [N]."""
    torch.set_num_threads(1)
    model = build(recipe, seed=0)
    model.load_state_dict(weights)
    outputs = infer(model, prepare(images, recipe), recipe)
    return accuracy(outputs, labels.to(recipe.device))
