"""A running average of a network's weights, which is often better than any of them.

B. Polyak and A. Juditsky, Acceleration of stochastic approximation by averaging, SIAM J. Control Optim. 30, 1992;
for image classifiers C. Szegedy et al., arXiv:1512.00567, section 8.
"""

import copy

import torch


class AveragedNetwork:
    """A copy of `model` whose weights and normalisation statistics are exponential averages of the model's.

    network: the copy. It computes as the model does, so it is measured and kept in its place.
    """

    def __init__(self, model, decay):
        self.network, self.decay = copy.deepcopy(model), decay
        averages, sources = ([*of.parameters(), *of.buffers()] for of in (self.network, model))
        pairs = list(zip(averages, sources, strict=True))
        self.averaged = [pair for pair in pairs if pair[0].is_floating_point()]
        self.counted = [pair for pair in pairs if not pair[0].is_floating_point()]

    @torch.no_grad()
    def update(self, step):
        """Take in the model's weights after step `step` (from 0).

        The first steps, far from the rest, are forgotten faster: the decay is at most (1 + step) / (10 + step), as
        in TensorFlow's tf.train.ExponentialMovingAverage with `num_updates`.
        """
        decay = min(self.decay, (1 + step) / (10 + step))
        for average, source in self.averaged:
            average.lerp_(source, 1 - decay)
        for count, source in self.counted:
            count.copy_(source)
