"""Losses of a batch on lanes' kernels, with their gradients. What they compute: kernels/losses.c."""

import ctypes

import torch
from torch.autograd.function import once_differentiable

from ladder.lanes.addresses import address
from ladder.lanes.build import library

KINDS = ("nll", "cross_entropy", "l1")


def loss_of(
    outputs: torch.Tensor, labels: torch.Tensor, kind: str, smoothing: float = 0.0
) -> tuple[torch.Tensor, float, int]:
    """Return (objective, loss, right) of float32 outputs [B, classes] against int64 labels [B].

    objective: what training minimises, a float32 tensor to call backward() on. loss: the same without label
    smoothing, a float of more digits. right: how many images have their largest output at the label.
    kind: "nll" of log-probabilities, "cross_entropy" of any outputs, "l1" of probabilities, which has no smoothing.
    Raises IndexError where a label is no class, TypeError for other shapes or types.
    """
    if kind not in KINDS or (kind == "l1" and smoothing):
        raise ValueError(f"there is no loss {kind} with label smoothing {smoothing}")
    return _Loss.apply(outputs.contiguous(), labels, kind, smoothing)


class _Loss(torch.autograd.Function):
    @staticmethod
    def forward(ctx, outputs, labels, kind, smoothing):
        count, classes = outputs.shape
        kernels, means, classed = library(), (ctypes.c_double * 2)(), address(labels, torch.int64, (count,))
        if kind == "cross_entropy":
            logs = torch.empty_like(outputs)
            kernels.log_softmax_rows(address(logs), address(outputs), count, classes)
            outputs = logs
        if kind == "l1":
            right = kernels.l1_forward(means, address(outputs), classed, count, classes)
        else:
            right = kernels.nll_forward(means, address(outputs), classed, ctypes.c_double(smoothing), count, classes)
        if right < 0:
            raise IndexError(f"a label lies outside of 0 to {classes - 1}")
        ctx.save_for_backward(outputs, labels)
        ctx.kind, ctx.smoothing = kind, smoothing
        return torch.tensor(means[1], dtype=torch.float32), means[0], right

    @staticmethod
    @once_differentiable
    def backward(ctx, scale, *_):
        outputs, labels = ctx.saved_tensors
        gradient, scale, smoothing = (
            torch.empty_like(outputs),
            ctypes.c_double(scale.item()),
            ctypes.c_double(ctx.smoothing),
        )
        to, outs, classed = address(gradient), address(outputs), address(labels, torch.int64)
        if ctx.kind == "nll":
            library().nll_backward(to, classed, scale, smoothing, *outputs.shape)
        elif ctx.kind == "cross_entropy":
            library().cross_entropy_backward(to, outs, classed, scale, smoothing, *outputs.shape)
        else:
            library().l1_backward(to, outs, classed, scale, *outputs.shape)
        return gradient, None, None, None
