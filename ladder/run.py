"""A run: one recipe trained from one random seed. A pure function of its arguments, epoch by epoch.

Randomness is a function of (seed, epoch), not of history: every epoch seeds a generator of its own for
order, augmentation and dropout. So a run continues from any epoch with nothing but weights, optimizer
state and the rows so far, and ends with the bytes of an uninterrupted one.
"""

import hashlib
import math
from dataclasses import dataclass

import torch
from torch.nn import functional as F

from ladder import network
from ladder.augment import augment
from ladder.errors import LadderError
from ladder.layers import draw_dropout
from ladder.optimizers import optimizer_of, restore, set_rate, state_of
from ladder.schedules import learning_rate
from ladder.shapes import CLASSES

HOLDOUT_SEED = 20_160_113  # any constant: every recipe of the same size holds out the same images


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
    images, labels = network.prepare(images, recipe), labels.to(recipe.device, torch.int64)
    members, holdout = (~held).nonzero().flatten().to(recipe.device), (images[held], labels[held])
    batches = math.ceil(len(members) / recipe.batch_size)
    model = network.build(recipe, _folded(seed, "weights"))
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


def holdout_mask(labels, size):
    """Return bool [N], true for `size` images held out of training: size/10 of each class, always the same.

    Raises LadderError where a class has too few.
    """
    held = torch.zeros(len(labels), dtype=torch.bool)
    generator = torch.Generator().manual_seed(HOLDOUT_SEED)
    for label in range(CLASSES if size else 0):
        members = (labels == label).nonzero().flatten()
        if len(members) <= size // CLASSES:
            raise LadderError(
                f"holdout {size} wants {size // CLASSES} of the {len(members)} training images of a {label}"
            )
        held[members[torch.randperm(len(members), generator=generator)[: size // CLASSES]]] = True
    return held


def loss_of(recipe, outputs, labels):
    """Return the recipe's loss of outputs [N, 10] against labels int64 [N], without label smoothing."""
    if recipe.loss == "nll":
        return F.nll_loss(outputs, labels)
    if recipe.loss == "cross_entropy":
        return F.cross_entropy(outputs, labels)
    return F.l1_loss(outputs, F.one_hot(labels, CLASSES).to(outputs.dtype))


def smoothed(recipe, loss, outputs):
    """Return what training minimises: `loss_of` the outputs with the recipe's label smoothing.

    With smoothing s a label is the class to 1 - s, and all ten to s/10 each: C. Szegedy et al., arXiv:1512.00567,
    section 7.
    """
    if not recipe.label_smoothing:
        return loss
    logs = outputs if recipe.loss == "nll" else outputs.log_softmax(1)
    return (1 - recipe.label_smoothing) * loss - recipe.label_smoothing * logs.mean()


def percent_right(outputs, labels):
    """Return the percentage of outputs [N, 10] whose largest is at the label [N]."""
    return 100 * (outputs.argmax(1) == labels).sum().item() / len(labels)


def train_batch(recipe, model, optimizer, images, labels, generator):
    """Take one optimizer step on prepared uint8 images [B, 1, S, S] and labels int64 [B].

    Return tensors: (mean loss without smoothing, number of images it got right), both before the step.
    """
    x = network.normalise(augment(images, recipe.augment, generator), recipe)
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
    outputs = network.outputs(model, images, recipe)
    return loss_of(recipe, outputs, labels).item(), percent_right(outputs, labels)


def _copied(tensors):
    """Return tensors on the CPU, contiguous: a copy that later steps do not touch."""
    return {name: value.detach().to("cpu", copy=True).contiguous() for name, value in tensors.items()}


def _folded(*parts):
    """Return 32 bits that depend on all the parts: as many as torch's CPU generator takes for a seed."""
    return int.from_bytes(hashlib.sha256("/".join(map(str, parts)).encode()).digest()[:4], "little")
