"""Where a batch's time goes: a clock around every operation of torch.

torch.profiler misleads here: what it keeps for every operation makes the batch's own memory new each time, and
getting new memory from the system is then most of what it shows.
"""

import time
from collections import defaultdict

import torch
from torch.utils._python_dispatch import TorchDispatchMode

GROUPS = {
    "convolution": "convolution, forward",
    "convolution_backward": "convolution, backward",
    "constant_pad_nd": "convolution, backward",  # of UnpaddedConv
    "max_pool2d_with_indices": "pooling",
    "max_pool2d_with_indices_backward": "pooling",
    "avg_pool2d": "pooling",
    "avg_pool2d_backward": "pooling",
    "mean": "pooling",
    "_fused_sgd_": "optimizer",
    "_fused_adam_": "optimizer",
}
MAPS = "normalisation, ReLU, dropout"
INTEGERS = "augmentation, dropout's draw"


class OperationTimer(TorchDispatchMode):
    """Sums the processor time of operations by group, step by step."""

    def __init__(self):
        super().__init__()
        self.sums = []

    def step(self, step):
        """Call `step`, with a sum of its own."""
        self.sums.append(defaultdict(float))
        with self:
            step()

    def seconds(self):
        """Return {group: [seconds in each step]}."""
        names = {name for sums in self.sums for name in sums}
        return {name: [sums[name] for sums in self.sums] for name in names}

    def __torch_dispatch__(self, operation, types, args=(), kwargs=None):
        start = time.thread_time()
        result = operation(*args, **(kwargs or {}))
        self.sums[-1][group(operation, args)] += time.thread_time() - start
        return result


def group(operation, args):
    """Return the group of an operation: by its name, else by what it works on."""
    name = operation.overloadpacket.__name__
    backward = torch._C._current_graph_task_id() >= 0
    if name == "convolution" and backward:
        return "convolution, backward"  # the input gradient of UnpaddedConv
    if name in GROUPS:
        return GROUPS[name]
    tensors = [arg for arg in args if isinstance(arg, torch.Tensor)]
    whole = bool(tensors) and tensors[0].dtype != torch.float32
    return INTEGERS if whole and not backward else MAPS
