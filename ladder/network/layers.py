"""Dropout, batch normalisation and convolution, exact and fast on one CPU core. The gains: benchmarks/README.md.

All keep the meaning of torch's own layers. Dropout draws the indices of the dropped elements, not one number
for each element. Batch normalisation reads a channels_last map [N, C, H, W] as a matrix [N*H, W*C], whose long rows
fill the processor's vectors; sums over its columns are also more exact than those of torch's channels_last
kernel, whose gradients on these networks are off by percents. A convolution's input gradient is computed as
a forward convolution.
"""

import functools

import torch
from torch import Generator, Tensor, nn
from torch.autograd.function import once_differentiable
from torch.nn import functional as F

from ladder.exceptions import LadderError

BITS = 62  # of a random integer; probabilities are integers out of 2**62
GUIDE_BITS = 16


class Drop(nn.Module):
    """Dropout: while training, zero each element with probability p, and scale the others by 1/(1-p).

    elements: how many an image has at this layer. `draw_dropout` must have been called for every batch.
    """

    def __init__(self, p: float, elements: int):
        super().__init__()
        self.p, self.elements, self.dropped_indices = p, elements, None

    def forward(self, x: Tensor) -> Tensor:
        return _Drop.apply(x, self.dropped_indices, 1 / (1 - self.p)) if self.training else x


class NormReluDrop(nn.BatchNorm2d):
    """Batch normalisation, then ReLU where `relu`, then dropout where p: one pass over memory where three were.

    elements: as in Drop. in_place: the input is the output of a convolution, which nobody else needs, so it
    may be overwritten.
    """

    def __init__(self, channels: int, relu: bool, p: float, elements: int, in_place: bool):
        super().__init__(channels)
        self.relu, self.p, self.elements, self.in_place, self.dropped_indices = relu, p, elements, in_place, None

    def forward(self, x: Tensor) -> Tensor:
        if not self.training:
            y = super().forward(x)
            return y.relu_() if self.relu else y
        if x.numel() == x.shape[1]:
            raise LadderError(
                "a batch of one image leaves batch normalisation one value a channel; take another batch_size"
            )
        self.num_batches_tracked.add_(1)
        return _NormReluDrop.apply(x, self.weight, self.bias, self, self.dropped_indices, 1 / (1 - self.p))


class UnpaddedConv(nn.Conv2d):
    """A 3x3 convolution without padding, stride, dilation, groups or bias, with a faster backward."""

    def __init__(self, channels: int, out: int):
        super().__init__(channels, out, 3, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        return _UnpaddedConv.apply(x, self.weight)


def draw_dropout(network: nn.Module, images: int, generator: Generator) -> None:
    """Draw, for a batch of `images` images, which elements every dropout of a network drops.

    Layers of one probability are drawn together, end to end: one large draw costs a fraction of several small ones.
    """
    by_p = {}
    for module in network.modules():
        if isinstance(module, Drop | NormReluDrop) and module.p:
            by_p.setdefault(module.p, []).append(module)
    for p, modules in by_p.items():
        ends = torch.tensor([0] + [module.elements * images for module in modules]).cumsum(0)
        indices = bernoulli_indices(p, int(ends[-1]), generator)
        cuts = torch.searchsorted(indices, ends.to(indices.device)).tolist()
        for module, start, stop, first in zip(modules, cuts, cuts[1:], ends.tolist(), strict=False):
            module.dropped_indices = indices[start:stop] - first


def bernoulli_indices(p: float, count: int, generator: Generator) -> Tensor:
    """Return the sorted indices (int64) of the ones in `count` independent draws, each one with probability p.

    The gaps between ones are geometric, so they are drawn instead, by integers alone: a random integer is
    looked up in the exact cumulative distribution. Its first bits find the entry of the table up to one
    comparison; in the far tail, where entries lie closer, the table is searched.
    """
    device = generator.device
    limits, guide, tail = _gap_table(p, device)
    draws = int(count * p + 12 * (count * p) ** 0.5 + 12)  # twelve standard deviations more than are needed
    uniform = torch.empty(draws, dtype=torch.int64, device=device).random_(0, 2**BITS, generator=generator)
    gap = guide.index_select(0, uniform >> (BITS - GUIDE_BITS))
    gap += uniform >= limits.index_select(0, gap)
    far = (gap >= tail).nonzero().view(-1)
    gap[far] = torch.searchsorted(limits, uniform[far], right=True)
    indices = gap.add_(1).cumsum_(0).sub_(1)
    return indices[: int(torch.searchsorted(indices, count))]


@functools.cache
def _gap_table(p: float, device: torch.device) -> tuple[Tensor, Tensor, int]:
    """Return (limits, guide, tail): limits[k] is P(gap <= k + 1) in units of 2**-62; see bernoulli_indices."""
    keep, survival, limits = 2**BITS - int(p * 2**BITS), 2**BITS, []
    while survival:
        survival = survival * keep >> BITS
        limits.append(2**BITS - survival)
    limits = torch.tensor(limits, device=device)
    guide = torch.searchsorted(limits, torch.arange(2**GUIDE_BITS, device=device) << (BITS - GUIDE_BITS), right=True)
    tail = int((limits.diff() <= 2 ** (BITS - GUIDE_BITS)).nonzero()[0]) + 1
    return limits, guide, tail


class _Drop(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x, indices, scale):
        out = _zeroed(x * scale, indices)
        ctx.save_for_backward(indices)
        ctx.scale, ctx.stride = scale, out.stride()
        return out

    @staticmethod
    @once_differentiable
    def backward(ctx, grad):
        scaled = grad.new_empty_strided(grad.shape, ctx.stride)  # the indices count in this layout of memory
        return _zeroed(torch.mul(grad, ctx.scale, out=scaled), *ctx.saved_tensors), None, None


class _NormReluDrop(torch.autograd.Function):
    """Batch normalisation and its gradient by S. Ioffe and C. Szegedy, arXiv:1502.03167, section 3.

    Dropout's scale is folded into the affine part, since s relu(z) = relu(s z); a dropped element is zeroed
    before the ReLU, so that the ReLU's own backward stops its gradient too.
    """

    @staticmethod
    def forward(ctx, x, weight, bias, norm, indices, scale):
        channels, width = x.shape[1], x.shape[3]
        count = x.numel() // channels
        x = x.contiguous(memory_format=torch.channels_last)
        m = _rows(x)
        mean = _by_channel(m, channels) / count
        m = m.sub_(_across(mean, width)) if norm.in_place else m - _across(mean, width)
        x = _as_map(m, x)
        variance = _by_channel(m * m, channels) / count
        norm.running_mean.lerp_(mean, norm.momentum)
        norm.running_var.lerp_(variance * (count / (count - 1)), norm.momentum)
        inverse = (variance + norm.eps).rsqrt()
        factor = weight * inverse * scale
        out = _as_map(torch.addcmul(_across(bias * scale, width), m, _across(factor, width)), x)
        if indices is not None:
            _zeroed(out, indices)
        if norm.relu:
            out.relu_()
        ctx.save_for_backward(x, out if norm.relu else None, factor, inverse, indices)
        ctx.scale, ctx.count = scale, count
        return out

    @staticmethod
    @once_differentiable
    def backward(ctx, grad):
        centred, out, factor, inverse, indices = ctx.saved_tensors
        channels, width = grad.shape[1], grad.shape[3]
        grad = grad.contiguous(memory_format=torch.channels_last)
        if out is not None:
            grad = torch.ops.aten.threshold_backward.grad_input(grad, out, 0, grad_input=grad)
        elif indices is not None:
            grad = _zeroed(grad.clone(), indices)
        g, m = _rows(grad), _rows(centred)
        sum_g, sum_gm = _by_channel(g, channels), _by_channel(g * m, channels)
        slope = factor * inverse * inverse * sum_gm / -ctx.count
        offset = factor * sum_g / -ctx.count
        torch.addcmul(_across(offset, width), m, _across(slope, width), out=m)  # m is no longer needed: reuse it
        m.addcmul_(g, _across(factor, width))
        return centred, sum_gm * inverse * ctx.scale, sum_g * ctx.scale, None, None, None


class _UnpaddedConv(torch.autograd.Function):
    """The input gradient is the convolution of the padded output gradient with the flipped kernel.

    oneDNN does that faster than its own backward. Padding the width by hand, in memory, is what makes it so.
    """

    @staticmethod
    def forward(ctx, x, weight):
        ctx.save_for_backward(x, weight)
        return torch.conv2d(x, weight)

    @staticmethod
    @once_differentiable
    def backward(ctx, grad):
        x, weight = ctx.saved_tensors
        grad_x = None
        if ctx.needs_input_grad[0]:
            flipped = weight.flip(2, 3).transpose(0, 1).contiguous(memory_format=torch.channels_last)
            grad_x = torch.conv2d(F.pad(grad, (2, 2)), flipped, padding=(2, 0))
        only_weight = [False, True, False]
        sizes = [1, 1], [0, 0], [1, 1], False, [0, 0], 1  # stride, padding, dilation, transposed, its padding, groups
        return grad_x, torch.ops.aten.convolution_backward(grad, x, weight, None, *sizes, only_weight)[1]


def _zeroed(x: Tensor, indices: Tensor) -> Tensor:
    """Zero, in place, the elements of x (dense, in any layout) at these indices of its memory. Return x."""
    x.as_strided((x.numel(),), (1,)).index_fill_(0, indices, 0)
    return x


def _rows(x: Tensor) -> Tensor:
    """Return a map [N, C, H, W] as a matrix [N*H, W*C]: a view where x is channels_last."""
    n, c, h, w = x.shape
    return x.permute(0, 2, 3, 1).reshape(n * h, w * c)


def _as_map(rows: Tensor, like: Tensor) -> Tensor:
    """Return a matrix [N*H, W*C] as a channels_last map of the shape of `like`: a view."""
    n, c, h, w = like.shape
    return rows.view(n, h, w, c).permute(0, 3, 1, 2)


def _across(channel_values: Tensor, width: int) -> Tensor:
    """Return one value a channel [C] repeated for every pixel of a row [W*C]."""
    return channel_values.expand(width, -1).reshape(-1)


def _by_channel(rows: Tensor, channels: int) -> Tensor:
    """Return the sums [C] over a matrix [N*H, W*C]."""
    return rows.sum(0).view(-1, channels).sum(0)
