"""The same training as somebody would write it who cares for speed: in plain torch, and in JAX.

All images lie in memory, and a batch is augmented at once, or, in JAX, not at all. Networks, losses and optimizers are
the frameworks' own, in the memory layout that suits them on a CPU. Both know what net9, s7_final and part3 need.
"""

from collections.abc import Callable, Iterator
from functools import partial

import torch
from torch import Tensor
from torch.nn import functional as F

from benchmarks.notebook import network_of, optimizer_of
from ladder import cards
from ladder.cards import Recipe, Row, layer_table


def torch_steps(recipe: Recipe, images: Tensor, labels: Tensor) -> Iterator[Callable[[], None]]:
    """Yield functions without end, each of which trains one batch in plain torch, on as many threads as torch has.

    images: uint8 [N, 1, 28, 28]; labels: uint8 [N]. Maps are in channels_last, which is faster here than torch's own
    layout and than torch.compile.
    """
    labels = labels.to(torch.int64)
    model = network_of(recipe).to(memory_format=torch.channels_last)
    optimizer = optimizer_of(recipe, model)

    def train(batch: Tensor) -> None:
        x = augmented(images[batch].to(torch.float32) / 255, recipe)
        x = ((x - recipe.input.mean) / recipe.input.std).to(memory_format=torch.channels_last)
        optimizer.zero_grad()
        F.nll_loss(model(x), labels[batch]).backward()
        optimizer.step()

    while True:
        for batch in torch.randperm(len(images)).split(recipe.batch_size)[:-1]:
            yield lambda batch=batch: train(batch)


def augmented(x: Tensor, recipe: Recipe) -> Tensor:
    """Return float32 images [B, 1, S, S] as the recipe augments them; black, not `fill`, outside."""
    for step in recipe.augment:
        if isinstance(step, cards.Rotate):
            angles = torch.deg2rad((2 * torch.rand(len(x)) - 1) * step.degrees)
            x = warped(x, angles, torch.ones(len(x)), "nearest")
        else:
            zooms = torch.where(torch.rand(len(x)) < step.p, step.size / x.shape[-1], 1.0)
            x = warped(x, torch.zeros(len(x)), zooms, "bilinear")
    return x


def warped(x: Tensor, angles: Tensor, zooms: Tensor, mode: str) -> Tensor:
    """Return images [B, 1, S, S], each turned by its angle, in radians, and showing its `zoom` of its middle."""
    sine, cosine, nought = angles.sin() * zooms, angles.cos() * zooms, torch.zeros_like(angles)
    rows = torch.stack([cosine, -sine, nought, sine, cosine, nought], dim=1).view(-1, 2, 3)
    grid = F.affine_grid(rows, list(x.shape), align_corners=False)
    return F.grid_sample(x, grid, mode=mode, align_corners=False)


def jax_steps(recipe: Recipe, images: Tensor, labels: Tensor) -> Iterator[Callable[[], None]]:
    """Yield functions without end, each of which trains one batch in JAX, compiled as one function, on all cores.

    images, labels: as for `torch_steps`. Nothing is augmented.
    """
    import jax
    from jax import numpy as jnp

    train = jax_train(recipe, images, labels)
    weights = _jax_weights(layer_table(recipe))
    state = (weights, jax.tree.map(jnp.zeros_like, weights), jax.tree.map(jnp.zeros_like, weights), 0)

    def step(batch: Tensor, key: object) -> None:
        nonlocal state
        state = train(state, jnp.asarray(batch.numpy()), key)
        jax.block_until_ready(state)

    key = jax.random.key(0)
    while True:
        for batch in torch.randperm(len(images)).split(recipe.batch_size)[:-1]:
            key, own = jax.random.split(key)
            yield lambda batch=batch, own=own: step(batch, own)


def jax_train(recipe: Recipe, images: Tensor, labels: Tensor) -> Callable[[tuple, object, object], tuple]:
    """Return the compiled function (state, batch, key) -> state of one step of training.

    images, labels: as for `torch_steps`. state: (weights of each layer, the optimizer's first and second moments of
    them, steps so far). batch: the images' numbers, int [B]. key: JAX's, for dropout.
    """
    import jax
    from jax import numpy as jnp

    rows = layer_table(recipe)
    pixels, targets = jnp.asarray(images.permute(0, 2, 3, 1).numpy()), jnp.asarray(labels.numpy().astype("int32"))

    @partial(jax.jit, donate_argnums=0)
    def train(state: tuple, batch: object, key: object) -> tuple:
        x = (pixels[batch] / 255.0 - recipe.input.mean) / recipe.input.std

        def loss(weights: list) -> object:
            outputs = _jax_outputs(rows, weights, x, key)
            return -jnp.take_along_axis(outputs, targets[batch][:, None], 1).mean()

        return _jax_moved(recipe, jax.grad(loss)(state[0]), *state)

    return train


def _jax_moved(recipe: Recipe, gradients: list, weights: list, first: list, second: list, count: int) -> tuple:
    """Return the state behind a step of SGD with momentum, or of Adam, by these gradients; see `jax_train`."""
    import jax
    from jax import numpy as jnp

    count = count + 1
    if isinstance(recipe.optimizer, cards.Sgd):
        moves = first = jax.tree.map(lambda m, g: recipe.optimizer.momentum * m + g, first, gradients)
    else:
        first = jax.tree.map(lambda m, g: 0.9 * m + 0.1 * g, first, gradients)
        second = jax.tree.map(lambda v, g: 0.999 * v + 0.001 * g * g, second, gradients)
        moves = jax.tree.map(
            lambda m, v: m / (1 - 0.9**count) / (jnp.sqrt(v / (1 - 0.999**count)) + 1e-8), first, second
        )
    return jax.tree.map(lambda w, m: w - recipe.learning_rate * m, weights, moves), first, second, count


def _jax_weights(rows: list[Row]) -> list[list]:
    """Return starting weights of each layer: a convolution's [rows, columns, in, out], a normalisation's two."""
    import jax
    from jax import numpy as jnp

    weights = []
    for number, row in enumerate(rows):
        channels = row.in_shape[0]
        if row.layer.name == "conv":
            shape = (row.layer.kernel, row.layer.kernel, channels // row.layer.groups, row.layer.out)
            weights.append([jax.nn.initializers.he_uniform()(jax.random.key(number), shape)])
        elif row.layer.name == "batch_norm":
            weights.append([jnp.ones(channels), jnp.zeros(channels)])
        else:
            weights.append([])
    return weights


def _jax_outputs(rows: list[Row], weights: list[list], x: object, key: object) -> object:
    """Return the outputs [B, classes] for maps x [B, rows, columns, channels], in train mode."""
    import jax
    from jax import lax
    from jax import numpy as jnp

    for number, (row, own) in enumerate(zip(rows, weights, strict=True)):
        layer = row.layer
        if layer.name == "conv":
            x = lax.conv_general_dilated(
                x,
                own[0],
                (layer.stride,) * 2,
                ((layer.padding,) * 2,) * 2,
                rhs_dilation=(layer.dilation,) * 2,
                dimension_numbers=("NHWC", "HWIO", "NHWC"),
                feature_group_count=layer.groups,
            )
        elif layer.name == "batch_norm":
            mean, variance = x.mean((0, 1, 2)), x.var((0, 1, 2))
            x = (x - mean) * lax.rsqrt(variance + 1e-5) * own[0] + own[1]
        elif layer.name == "relu":
            x = jax.nn.relu(x)
        elif layer.name == "dropout":
            kept = jax.random.bernoulli(jax.random.fold_in(key, number), 1 - layer.p, x.shape)
            x = jnp.where(kept, x / (1 - layer.p), 0)
        elif layer.name in ("max_pool", "avg_pool"):
            stride = layer.stride or layer.kernel
            window, strides = (1, layer.kernel, layer.kernel, 1), (1, stride, stride, 1)
            start, combine = (-jnp.inf, lax.max) if layer.name == "max_pool" else (0.0, lax.add)
            x = lax.reduce_window(x, start, combine, window, strides, "VALID")
            x = x / layer.kernel**2 if layer.name == "avg_pool" else x
        elif layer.name == "global_avg_pool":
            x = x.mean((1, 2), keepdims=True)
        elif layer.name == "flatten":
            x = x.reshape(len(x), -1)
        else:
            x = jax.nn.log_softmax(x)
    return x
