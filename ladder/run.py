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

from ladder import cards, network
from ladder.augment import augment
from ladder.errors import LadderError
from ladder.layers import draw_dropout
from ladder.shapes import CLASSES

HOLDOUT_SEED = 20_160_113  # any constant: every recipe of the same size holds out the same images


@dataclass(frozen=True)
class Epoch:
    """What an epoch leaves behind.

    row: epoch (from 1), learning_rate, train_loss and train_accuracy (percent, running: in train mode on
    augmented images while the weights move), holdout_loss and holdout_accuracy (None without a holdout).
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
    model = network.build(recipe, _folded(seed, "weights"))
    optimizer = optimizer_of(recipe, model)
    if done:
        _restore(model, optimizer, done[-1])
    for number in range(len(rows) + 1, recipe.epochs + 1):
        rate = learning_rate(recipe, number, [row["holdout_loss"] for row in rows])
        for group in optimizer.param_groups:
            group["lr"] = rate
        generator = torch.Generator(recipe.device).manual_seed(_folded(seed, number))
        loss, accuracy = _train(recipe, model, optimizer, images, labels, members, generator, number)
        held_loss, held_accuracy = _evaluate(recipe, model, *holdout) if recipe.holdout else (None, None)
        rows.append(
            {
                "epoch": number,
                "learning_rate": rate,
                "train_loss": loss,
                "train_accuracy": accuracy,
                "holdout_loss": held_loss,
                "holdout_accuracy": held_accuracy,
            }
        )
        yield Epoch(rows[-1], _copied(model.state_dict()), _copied(_optimizer_state(model, optimizer)))


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


def learning_rate(recipe, number, holdout_losses):
    """Return the learning rate of epoch `number` (from 1), given the holdout losses of the epochs before."""
    schedule = recipe.schedule
    if isinstance(schedule, cards.Step):
        return recipe.learning_rate * schedule.factor ** ((number - 1) // schedule.every)
    rate = recipe.learning_rate
    if isinstance(schedule, cards.Plateau):
        best, waited = math.inf, 0
        for loss in holdout_losses:
            best, waited = (loss, 0) if loss < best * (1 - 1e-4) else (best, waited + 1)
            if waited > schedule.patience:
                rate, waited = rate * schedule.factor, 0
    return rate


def loss_of(recipe, outputs, labels):
    """Return the recipe's loss of outputs [N, 10] against labels int64 [N]."""
    if recipe.loss == "nll":
        return F.nll_loss(outputs, labels)
    if recipe.loss == "cross_entropy":
        return F.cross_entropy(outputs, labels)
    return F.l1_loss(outputs, F.one_hot(labels, CLASSES).to(outputs.dtype))


def percent_right(outputs, labels):
    """Return the percentage of outputs [N, 10] whose largest is at the label [N]."""
    return 100 * (outputs.argmax(1) == labels).sum().item() / len(labels)


def optimizer_of(recipe, model):
    """Return the recipe's optimizer. Fused: one pass, and no square root from MKL, whose bits differ by processor."""
    if isinstance(recipe.optimizer, cards.Sgd):
        momentum = recipe.optimizer.momentum
        return torch.optim.SGD(model.parameters(), recipe.learning_rate, momentum=momentum, fused=True)
    return torch.optim.Adam(model.parameters(), recipe.learning_rate, fused=True)


def train_batch(recipe, model, optimizer, images, labels, generator):
    """Take one optimizer step on prepared uint8 images [B, 1, S, S] and labels int64 [B].

    Return tensors: (mean loss, number of images it got right), both before the step.
    """
    x = network.normalise(augment(images, recipe.augment, generator), recipe)
    draw_dropout(model, len(images), generator)
    optimizer.zero_grad()
    outputs = model(x)
    loss = loss_of(recipe, outputs, labels)
    loss.backward()
    optimizer.step()
    return loss.detach(), (outputs.detach().argmax(1) == labels).sum()


def _train(recipe, model, optimizer, images, labels, members, generator, number):
    """Train one epoch on the images whose indices are `members`. Return (mean loss, accuracy in percent), running."""
    order = members[torch.randperm(len(members), generator=generator, device=images.device)]
    losses, correct = [], torch.zeros((), dtype=torch.int64, device=images.device)
    for batch in order.split(recipe.batch_size):
        loss, right = train_batch(recipe, model, optimizer, images[batch], labels[batch], generator)
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


def _optimizer_state(model, optimizer):
    """Return the optimizer's tensors by <parameter>.<name>."""
    return {
        f"{name}.{key}": value
        for name, parameter in model.named_parameters()
        for key, value in optimizer.state[parameter].items()
        if value is not None
    }


def _restore(model, optimizer, epoch):
    """Put an Epoch's weights and optimizer state back, in the memory layout they had: fused kernels rely on it."""
    model.load_state_dict(epoch.weights)
    for name, parameter in model.named_parameters():
        prefix = f"{name}."
        optimizer.state[parameter] = {
            key.removeprefix(prefix): (
                torch.empty_like(parameter).copy_(value) if value.ndim else value.to(parameter.device, copy=True)
            )
            for key, value in epoch.optimizer.items()
            if key.startswith(prefix)
        }


def _copied(tensors):
    """Return tensors on the CPU, contiguous: a copy that later steps do not touch."""
    return {name: value.detach().to("cpu", copy=True).contiguous() for name, value in tensors.items()}


def _folded(*parts):
    """Return 32 bits that depend on all the parts: as many as torch's CPU generator takes for a seed."""
    return int.from_bytes(hashlib.sha256("/".join(map(str, parts)).encode()).digest()[:4], "little")
