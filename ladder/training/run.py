"""A run: one recipe trained from one random seed. A pure function of its arguments, epoch by epoch.

Randomness is a function of (seed, epoch), not of history: every epoch has a generator of its own for order,
augmentation and dropout. Therefore a run continues from any epoch with nothing but weights, optimizer
state and the rows so far, and ends with the bytes of an uninterrupted one.
"""

import math
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch
from numpy.random import BitGenerator
from torch import Tensor
from torch.optim import Optimizer

from ladder.cards import Moment, Recipe
from ladder.cards.augmentations import augment
from ladder.data.holdout import holdout_mask
from ladder.data.splits import Split
from ladder.exceptions import LadderError
from ladder.lanes.draws import generator, permutation
from ladder.lanes.network import Lanes, draw_dropout
from ladder.network.build import build
from ladder.network.inference import infer, prepare, see
from ladder.network.losses import loss_of
from ladder.training.optimizers import make_optimizer, restore, set_rate, state_of

AT_ONCE = 16  # batches augmented together: after the layers the caches are cold, and every small call costs 0.1 ms


@dataclass(frozen=True)
class Epoch:
    """What an epoch leaves behind.

    row: epoch (from 1), learning_rate (of the epoch's first step), train_loss and train_accuracy (percent,
    running: in train mode on augmented images while the weights move), holdout_loss and holdout_accuracy (None
    without a holdout). A loss is the recipe's, without label smoothing.
    weights: the network's state, float32 and int64 tensors by name. optimizer: its state by <parameter>.<name>.
    """

    row: dict[str, int | float | None]
    weights: dict[str, Tensor]
    optimizer: dict[str, Tensor]


def run(recipe: Recipe, data: Split, seed: int) -> list[Epoch]:
    """Return the Epochs of a whole run: the same arguments give the same bytes, whatever else happens.

    data: the training images, holdout included. Raises LadderError where the loss is not finite.
    """
    return list(epochs(recipe, data, seed))


def epochs(recipe: Recipe, data: Split, seed: int, done: Sequence[Epoch] = ()) -> Iterator[Epoch]:
    """Yield one Epoch after another, beginning behind those already `done`. Arguments and errors: as for `run`."""
    if recipe.device == "cuda" and not torch.cuda.is_available():
        raise LadderError("device is cuda, but torch finds no GPU here; set train.device to cpu, or leave it empty")
    set_up_torch(recipe.device)
    held_out = holdout_mask(data, recipe.holdout)
    images, labels = prepare(data.images, recipe), data.labels.to(torch.int64)
    train_indices, holdout = (~held_out).nonzero().flatten(), (images[held_out], labels[held_out])
    model, optimizer = _start(recipe, seed, done)
    rows = [epoch.row for epoch in done]
    for number in range(len(rows) + 1, recipe.epochs + 1):
        rates = _rates(recipe, number, len(train_indices), [row["holdout_loss"] for row in rows])
        draws = generator(seed, number)
        order = train_indices[permutation(len(train_indices), draws)]
        batches = _batches(recipe, images, labels, order, draws)
        losses, correct = _train(recipe, model, optimizer, batches, draws, rates)
        _check_finite(losses, number)
        watched = _evaluate(recipe, model, *holdout) if recipe.holdout else (None, None)
        rows.append(
            {
                "epoch": number,
                "learning_rate": rates[0],
                "train_loss": math.fsum(losses) / len(order),
                "train_accuracy": 100 * correct / len(order),
                "holdout_loss": watched[0],
                "holdout_accuracy": watched[1],
            }
        )
        yield Epoch(rows[-1], _copied(model.state_dict()), _copied(state_of(model, optimizer)))


def set_up_torch(device: str = "cpu") -> None:
    """Make this process compute as every run does: on one thread, and on a GPU by deterministic algorithms."""
    torch.set_num_threads(1)
    if device == "cuda":  # on a CPU the lanes compute; asking torch for it costs 2 s and 150 MB at the start
        os.environ["CUBLAS_WORKSPACE_CONFIG"] = ":4096:8"  # without it cuBLAS may sum in another order each time
        torch.use_deterministic_algorithms(True)


def train_batch(
    recipe: Recipe, model: Lanes, optimizer: Optimizer, images: Tensor, labels: Tensor, draws: BitGenerator
) -> tuple[float, int]:
    """Take one optimizer step on prepared and augmented uint8 images [B, C, S, S] and labels int64 [B].

    Return (mean loss without smoothing, number of correct images), both of before the step.
    """
    draw_dropout(model, len(images), draws)
    optimizer.zero_grad()
    objective, loss, correct = loss_of(recipe, see(model, images, recipe), labels.to(recipe.device))
    objective.backward()
    optimizer.step()
    return loss, correct


def _start(recipe: Recipe, seed: int, done: Sequence[Epoch]) -> tuple[Lanes, Optimizer]:
    """Return the network and its optimizer as they are behind the epochs that are done."""
    model = build(recipe, seed)
    optimizer = make_optimizer(recipe, model)
    if done:
        model.load_state_dict(done[-1].weights)
        restore(model, optimizer, done[-1].optimizer)
    return model, optimizer


def _rates(recipe: Recipe, epoch: int, images: int, holdout_losses: list[float | None]) -> list[float]:
    """Return the learning rate of each batch of an epoch over so many images."""
    batches = math.ceil(images / recipe.batch_size)
    moments = (Moment(epoch, recipe.epochs, batch, batches, holdout_losses) for batch in range(batches))
    return [recipe.schedule.rate(recipe.learning_rate, moment) for moment in moments]


def _batches(
    recipe: Recipe, images: Tensor, labels: Tensor, order: Tensor, draws: BitGenerator
) -> Iterator[tuple[Tensor, Tensor]]:
    """Yield (augmented images, labels) of each batch, picked by the indices `order`, int64 [N]."""
    for several in order.split(AT_ONCE * recipe.batch_size):
        picked = augment(images.index_select(0, several), recipe.augment, draws)
        yield from zip(picked.split(recipe.batch_size), labels[several].split(recipe.batch_size), strict=True)


def _train(
    recipe: Recipe,
    model: Lanes,
    optimizer: Optimizer,
    batches: Iterator[tuple[Tensor, Tensor]],
    draws: BitGenerator,
    rates: list[float],
) -> tuple[list[float], int]:
    """Train on all batches of an epoch, each at its rate.

    Return running results, of each batch before its step: the sum of its images' losses, and how many images of all
    batches were correct.
    """
    losses, correct = [], 0
    for (images, labels), rate in zip(batches, rates, strict=True):
        set_rate(optimizer, rate)
        loss, correct_of_batch = train_batch(recipe, model, optimizer, images, labels, draws)
        losses.append(loss * len(images))
        correct += correct_of_batch
    return losses, correct


def _check_finite(losses: Sequence[float], epoch: int) -> None:
    """Raise LadderError for the first batch of an epoch whose loss is not finite."""
    for batch, loss in enumerate(losses, start=1):
        if not math.isfinite(loss):
            raise LadderError(
                f"epoch {epoch}, batch {batch}: the loss is {loss}; "
                "nothing of this epoch is kept; try a smaller learning_rate"
            )


def _evaluate(recipe: Recipe, model: Lanes, images: Tensor, labels: Tensor) -> tuple[float, float]:
    """Return (mean loss, accuracy in percent) in eval mode."""
    _, loss, correct = loss_of(recipe, infer(model, images, recipe), labels.to(recipe.device))
    return loss, 100 * correct / len(labels)


def _copied(tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    """Return tensors on the CPU, contiguous: a copy that later steps do not touch."""
    return {name: value.detach().to("cpu", copy=True).contiguous() for name, value in tensors.items()}
