"""What a run's weights are worth on images: accuracy, loss, predictions."""

from dataclasses import dataclass

import numpy as np
import torch

from ladder.data.holdout import holdout_mask
from ladder.network.build import build
from ladder.network.inference import accuracy, infer, prepare, probabilities
from ladder.network.losses import loss_of


@dataclass(frozen=True)
class Measured:
    """One run on the test images, and its last weights on the images it was trained on.

    accuracy, loss: lists with one value an epoch (percent; mean of the recipe's loss).
    predictions int64 [N], confidences float32 [N] (the predicted class's probability): of the last epoch; NumPy
    arrays, which travel between processes as plain bytes.
    train_accuracy: percent, eval mode, unaugmented, without the held-out images.
    """

    accuracy: list
    loss: list
    predictions: np.ndarray
    confidences: np.ndarray
    train_accuracy: float


def measure(recipe, weights, train, test):
    """Return what a run is worth. weights: its states after each epoch; train, test: {"images", "labels"}."""
    torch.set_num_threads(1)
    model = build(recipe, seed=0)
    images, labels = prepare(test["images"], recipe), test["labels"].to(recipe.device, torch.int64)
    accuracies, losses = [], []
    for state in weights:
        model.load_state_dict(state)
        outputs = infer(model, images, recipe)
        losses.append(loss_of(recipe, outputs, labels)[1])
        accuracies.append(accuracy(outputs, labels))
    predictions = outputs.argmax(1)
    confidences = probabilities(recipe, outputs).gather(1, predictions.unsqueeze(1)).squeeze(1)
    seen = ~holdout_mask(train["labels"], recipe.holdout)
    on_train = infer(model, prepare(train["images"][seen], recipe), recipe)
    return Measured(
        accuracies,
        losses,
        predictions.cpu().numpy(),
        confidences.cpu().numpy(),
        accuracy(on_train, train["labels"][seen].to(recipe.device)),
    )


def accuracy_of(recipe, weights, images, labels):
    """Return the accuracy in percent of one state of a run on uint8 images [N, 1, 28, 28] with labels [N]."""
    torch.set_num_threads(1)
    model = build(recipe, seed=0)
    model.load_state_dict(weights)
    outputs = infer(model, prepare(images, recipe), recipe)
    return accuracy(outputs, labels.to(recipe.device))
