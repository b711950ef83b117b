"""SGD and Adam on lanes' kernels: torch optimizers whose step is one call. What they compute: kernels/optimizers.c.

Arguments, param_groups and the names of the states are torch.optim's. Parameters are float32, on the CPU, contiguous.
"""

import ctypes
from collections.abc import Iterable

import torch

from ladder.lanes.addresses import addresses
from ladder.lanes.build import library


class _Optimizer(torch.optim.Optimizer):
    """torch.optim.Optimizer without the profiler's ranges that torch puts around step and zero_grad.

    A range costs 0.11 ms where the layers have just emptied the caches; the rest of a step on net9 costs 0.14 ms.
    """

    # Without torch's decorator, which imports its compiler: 2 s and 150 MB at the start of every worker.
    add_param_group = torch.optim.Optimizer.add_param_group.__wrapped__

    def zero_grad(self) -> None:
        """Forget all gradients."""
        for group in self.param_groups:
            for weight in group["params"]:
                weight.grad = None


class SGD(_Optimizer):
    """torch.optim.SGD with its momentum, Nesterov's momentum and weight decay."""

    def __init__(
        self, params: Iterable, lr: float, momentum: float = 0.0, weight_decay: float = 0.0, nesterov: bool = False
    ):
        super().__init__(params, {"lr": lr, "momentum": momentum, "weight_decay": weight_decay, "nesterov": nesterov})

    def step(self) -> None:
        """Move every parameter that has a gradient."""
        for group in self.param_groups:
            weights = _with_gradient(group)
            moments = [self._moment(weight) for weight in weights] if group["momentum"] else weights
            library().sgd_step(
                addresses(weights),
                addresses(moments),
                *_gradients(weights),
                *map(ctypes.c_double, (group["lr"], group["momentum"], group["weight_decay"])),
                group["nesterov"],
            )

    step.hooked = True  # torch then puts no range around it

    def _moment(self, weight):
        state = self.state[weight]
        if not state:
            state["momentum_buffer"] = torch.zeros_like(weight)
        return state["momentum_buffer"]


class Adam(_Optimizer):
    """torch.optim.Adam without weight decay."""

    def __init__(self, params: Iterable, lr: float, betas: tuple[float, float] = (0.9, 0.999), eps: float = 1e-8):
        super().__init__(params, {"lr": lr, "betas": betas, "eps": eps})

    def step(self) -> None:
        """Move every parameter that has a gradient."""
        for group in self.param_groups:
            weights = _with_gradient(group)
            states = [self._state(weight) for weight in weights]
            library().adam_step(
                addresses(weights),
                addresses([state["exp_avg"] for state in states]),
                addresses([state["exp_avg_sq"] for state in states]),
                addresses([state["step"] for state in states]),
                *_gradients(weights),
                *map(ctypes.c_double, (group["lr"], *group["betas"], group["eps"])),
            )

    step.hooked = True

    def _state(self, weight):
        state = self.state[weight]
        if not state:
            state["step"] = torch.tensor(0.0)
            state["exp_avg"], state["exp_avg_sq"] = torch.zeros_like(weight), torch.zeros_like(weight)
        return state


def _with_gradient(group):
    return [weight for weight in group["params"] if weight.grad is not None]


def _gradients(weights):
    """Return (gradients, sizes, number of parameters) as the kernels take them."""
    count = len(weights)
    sizes = (ctypes.c_int * count)(*[weight.numel() for weight in weights])
    return addresses([weight.grad for weight in weights]), sizes, count
