"""A run: one recipe trained from one random seed. A pure function of its arguments, epoch by epoch.

Randomness is a function of (seed, epoch), not of history: every epoch seeds a generator of its own for
order, augmentation and dropout. So a run continues from any epoch with nothing but weights, optimizer
state and the rows so far, and ends with the bytes of an uninterrupted one.
"""

import hashlib
import math
from dataclasses import dataclass

import torch

from ladder.data.augment import augment
from ladder.data.holdout import holdout_mask
from ladder.exceptions import LadderError
from ladder.network.build import build
from ladder.network.inference import infer, normalise, percent_right, prepare
from ladder.network.layers import draw_dropout
from ladder.network.losses import loss_of, smoothed
from ladder.training.optimizers import optimizer_of, restore, set_rate, state_of
from ladder.training.schedules import learning_rate


@dataclass(frozen=True)
class Epoch:
    """What an epoch leaves behind.

    row: epoch (from 1), learning_rate (of the epoch's first step), train_loss and train_accuracy (percent,
    running: in train mode on augmented images while the weights move), holdout_loss and holdout_accuracy (None
    without a holdout). A loss is the recipe's, without label smoothing.
    weights: the network's state, float32 and int64 tensors by name. optimizer: its state by <parameter>.<name>.
    """

    row: dict
    weights: dict
    optimizer: dict


def run(recipe, images, labels, seed):
    """Return the Epochs of a whole run: the same arguments give the same bytes, whatever else happens.

    images: uint8 [N, 1, 28, 28]; labels: uint8 [N]. Raises LadderError where the loss is not finite.
    """
    return list(epochs(recipe, images, labels, seed))


def epochs(recipe, images, labels, seed, done=()):
    """Yield one Epoch after another, beginning behind those already `done`."""
    if recipe.device == "cuda" and not torch.cuda.is_available():
        raise LadderError("device is cuda, but torch finds no GPU here; set train.device to cpu, or leave it empty")
    set_up_torch()
    rows = [epoch.row for epoch in done]
    held = holdout_mask(labels, recipe.holdout)
    images, labels = prepare(images, recipe), labels.to(recipe.device, torch.int64)
    members, holdout = (~held).nonzero().flatten().to(recipe.device), (images[held], labels[held])
    batches = math.ceil(len(members) / recipe.batch_size)
    model = build(recipe, _folded(seed, "weights"))
    optimizer = optimizer_of(recipe, model)
    if done:
        model.load_state_dict(done[-1].weights)
        restore(model, optimizer, done[-1].optimizer)
    for number in range(len(rows) + 1, recipe.epochs + 1):
        losses = [row["holdout_loss"] for row in rows]
        rates = [learning_rate(recipe, number, batch, batches, losses) for batch in range(batches)]
        generator = torch.Generator(recipe.device).manual_seed(_folded(seed, number))
        loss, accuracy = _train(recipe, model, optimizer, images, labels, members, generator, number, rates)
        held_loss, held_accuracy = _evaluate(recipe, model, *holdout) if recipe.holdout else (None, None)
        rows.append(
            {
                "epoch": number,
                "learning_rate": rates[0],
                "train_loss": loss,
                "train_accuracy": accuracy,
                "holdout_loss": held_loss,
                "holdout_accuracy": held_accuracy,
            }
        )
        yield Epoch(rows[-1], _copied(model.state_dict()), _copied(state_of(model, optimizer)))


def set_up_torch():
    """Make this process compute as every run does: on one thread, by deterministic algorithms."""
    torch.set_num_threads(1)  # another count sums in another order
    torch.use_deterministic_algorithms(True)
    torch.utils.deterministic.fill_uninitialized_memory = False  # all of it is written before it is read


def train_batch(recipe, model, optimizer, images, labels, generator):
    """Take one optimizer step on prepared uint8 images [B, 1, S, S] and labels int64 [B].

    Return tensors: (mean loss without smoothing, number of images it got right), both before the step.
    """
    x = normalise(augment(images, recipe.augment, generator), recipe)
    draw_dropout(model, len(images), generator)
    optimizer.zero_grad()
    outputs = model(x)
    loss = loss_of(recipe, outputs, labels)
    smoothed(recipe, loss, outputs).backward()
    optimizer.step()
    return loss.detach(), (outputs.detach().argmax(1) == labels).sum()


def _train(recipe, model, optimizer, images, labels, members, generator, number, rates):
    """Train one epoch on the images whose indices are `members`. Return (mean loss, accuracy in percent), running."""
    order = members[torch.randperm(len(members), generator=generator, device=images.device)]
    losses, correct = [], torch.zeros((), dtype=torch.int64, device=images.device)
    for batch, rate in zip(order.split(recipe.batch_size), rates, strict=True):
        set_rate(optimizer, rate)
        picked = images.index_select(0, batch), labels.index_select(0, batch)  # copies an image as a whole
        loss, right = train_batch(recipe, model, optimizer, *picked, generator)
        losses.append(loss * len(batch))
        correct += right
    losses = torch.stack(losses)
    if not losses.isfinite().all():
        batch = int((~losses.isfinite()).nonzero()[0]) + 1
        raise LadderError(
            f"epoch {number}, batch {batch}: the loss is {losses[batch - 1].item()}; "
            "nothing of this epoch is kept; try a smaller learning_rate"
        )
    return losses.to(torch.float64).sum().item() / len(order), 100 * correct.item() / len(order)


def _evaluate(recipe, model, images, labels):
    """Return (mean loss, accuracy in percent) in eval mode."""
    outputs = infer(model, images, recipe)
    return loss_of(recipe, outputs, labels).item(), percent_right(outputs, labels)


def _copied(tensors):
    """Return tensors on the CPU, contiguous: a copy that later steps do not touch."""
    return {name: value.detach().to("cpu", copy=True).contiguous() for name, value in tensors.items()}


def _folded(*parts):
    """Return 32 bits that depend on all the parts: as many as torch's CPU generator takes for a seed."""
    return int.from_bytes(hashlib.sha256("/".join(map(str, parts)).encode()).digest()[:4], "little")
