"""A run: one recipe trained from one random seed. A pure function of its arguments, epoch by epoch.

Randomness is a function of (seed, epoch), not of history: every epoch seeds a generator of its own for
order, augmentation and dropout. Therefore a run continues from any epoch with nothing but weights, optimizer
state and the rows so far, and ends with the bytes of an uninterrupted one.
"""

import hashlib
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import Generator, Tensor, nn
from torch.optim import Optimizer

from ladder.cards import Moment, Recipe
from ladder.data.augment import augment
from ladder.data.holdout import holdout_mask
from ladder.exceptions import LadderError
from ladder.network.build import build
from ladder.network.inference import accuracy, infer, normalise, prepare
from ladder.network.layers import draw_dropout
from ladder.training.optimizers import make_optimizer, restore, set_rate, state_of


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


def run(recipe: Recipe, images: Tensor, labels: Tensor, seed: int) -> list[Epoch]:
    """Return the Epochs of a whole run: the same arguments give the same bytes, whatever else happens.

    images: uint8 [N, 1, 28, 28]; labels: uint8 [N]. Raises LadderError where the loss is not finite.
    """
    return list(epochs(recipe, images, labels, seed))


def epochs(recipe: Recipe, images: Tensor, labels: Tensor, seed: int, done: Sequence[Epoch] = ()) -> Iterator[Epoch]:
    """Yield one Epoch after another, beginning behind those already `done`. Arguments and errors: as for `run`."""
    if recipe.device == "cuda" and not torch.cuda.is_available():
        raise LadderError("device is cuda, but torch finds no GPU here; set train.device to cpu, or leave it empty")
    set_up_torch()
    held_out = holdout_mask(labels, recipe.holdout)
    images, labels = prepare(images, recipe), labels.to(recipe.device, torch.int64)
    train_indices, holdout = (~held_out).nonzero().flatten().to(recipe.device), (images[held_out], labels[held_out])
    model, optimizer = _start(recipe, seed, done)
    rows = [epoch.row for epoch in done]
    for number in range(len(rows) + 1, recipe.epochs + 1):
        rates = _rates(recipe, number, len(train_indices), [row["holdout_loss"] for row in rows])
        generator = Generator(recipe.device).manual_seed(_folded(seed, number))
        order = train_indices[torch.randperm(len(train_indices), generator=generator, device=images.device)]
        losses, correct = _train(recipe, model, optimizer, _batches(recipe, images, labels, order), generator, rates)
        _check_finite(losses, number)
        watched = _evaluate(recipe, model, *holdout) if recipe.holdout else (None, None)
        rows.append(
            {
                "epoch": number,
                "learning_rate": rates[0],
                "train_loss": losses.to(torch.float64).sum().item() / len(order),
                "train_accuracy": 100 * correct.item() / len(order),
                "holdout_loss": watched[0],
                "holdout_accuracy": watched[1],
            }
        )
        yield Epoch(rows[-1], _copied(model.state_dict()), _copied(state_of(model, optimizer)))


def set_up_torch() -> None:
    """Make this process compute as every run does: on one thread, by deterministic algorithms."""
    torch.set_num_threads(1)  # another count sums in another order
    torch.use_deterministic_algorithms(True)
    torch.utils.deterministic.fill_uninitialized_memory = False  # all of it is written before it is read


def train_batch(
    recipe: Recipe, model: nn.Module, optimizer: Optimizer, images: Tensor, labels: Tensor, generator: Generator
) -> tuple[Tensor, Tensor]:
    """Take one optimizer step on prepared uint8 images [B, 1, S, S] and labels int64 [B].

    Return (mean loss without smoothing, number of correct images), both of before the step, as tensors [].
    """
    x = normalise(augment(images, recipe.augment, generator), recipe)
    draw_dropout(model, len(images), generator)
    optimizer.zero_grad()
    outputs = model(x)
    loss = recipe.loss.value(outputs, labels)
    recipe.loss.smoothed(loss, outputs, recipe.label_smoothing).backward()
    optimizer.step()
    return loss.detach(), (outputs.detach().argmax(1) == labels).sum()


def _start(recipe: Recipe, seed: int, done: Sequence[Epoch]) -> tuple[nn.Module, Optimizer]:
    """Return the network and its optimizer as they are behind the epochs that are done."""
    model = build(recipe, _folded(seed, "weights"))
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


def _batches(recipe: Recipe, images: Tensor, labels: Tensor, order: Tensor) -> Iterator[tuple[Tensor, Tensor]]:
    """Yield (images, labels) of each batch, picked by the indices `order`, int64 [N]."""
    for batch in order.split(recipe.batch_size):
        yield images.index_select(0, batch), labels.index_select(0, batch)  # copies an image as a whole


def _train(
    recipe: Recipe,
    model: nn.Module,
    optimizer: Optimizer,
    batches: Iterator[tuple[Tensor, Tensor]],
    generator: Generator,
    rates: list[float],
) -> tuple[Tensor, Tensor]:
    """Train on all batches of an epoch, each at its rate.

    Return running results, of each batch before its step: the sums of the images' losses, float32 [batches], and the
    number of correct images of all batches, int64 [].
    """
    losses, correct = [], 0
    for (images, labels), rate in zip(batches, rates, strict=True):
        set_rate(optimizer, rate)
        loss, correct_of_batch = train_batch(recipe, model, optimizer, images, labels, generator)
        losses.append(loss * len(images))
        correct += correct_of_batch
    return torch.stack(losses), correct


def _check_finite(losses: Tensor, epoch: int) -> None:
    """Raise LadderError for the first batch of an epoch whose loss is not finite. losses: [batches]."""
    if not losses.isfinite().all():
        batch = int((~losses.isfinite()).nonzero()[0])
        raise LadderError(
            f"epoch {epoch}, batch {batch + 1}: the loss is {losses[batch].item()}; "
            "nothing of this epoch is kept; try a smaller learning_rate"
        )


def _evaluate(recipe: Recipe, model: nn.Module, images: Tensor, labels: Tensor) -> tuple[float, float]:
    """Return (mean loss, accuracy in percent) in eval mode."""
    outputs = infer(model, images, recipe)
    return recipe.loss.value(outputs, labels).item(), accuracy(outputs, labels)


def _copied(tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    """Return tensors on the CPU, contiguous: a copy that later steps do not touch."""
    return {name: value.detach().to("cpu", copy=True).contiguous() for name, value in tensors.items()}


def _folded(*parts: object) -> int:
    """Return 32 bits that depend on all the parts: as many as torch's CPU generator takes for a seed."""
    return int.from_bytes(hashlib.sha256("/".join(map(str, parts)).encode()).digest()[:4], "little")
