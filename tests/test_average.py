"""The average of weights against torch's own, and by hand where torch has no warm-up of the decay."""

import torch
from test_run import small
from torch.optim.swa_utils import get_ema_avg_fn

from ladder import network
from ladder.average import AveragedNetwork


def moved(model, seed):
    """Give every weight and statistic of a network new values."""
    generator = torch.Generator().manual_seed(seed)
    for tensor in model.state_dict().values():
        if tensor.is_floating_point():
            tensor.copy_(torch.randn(tensor.shape, generator=generator))
        else:
            tensor.add_(1)


def test_late_averages_are_torchs():
    model = network.build(small(), seed=0)
    average, torchs = AveragedNetwork(model, 0.9), get_ema_avg_fn(0.9)
    expected = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    for step in range(1000, 1010):  # (1 + step) / (10 + step) is above 0.9
        moved(model, step)
        average.update(step)
        expected = {
            name: torchs(expected[name], tensor, None) if tensor.is_floating_point() else tensor.clone()
            for name, tensor in model.state_dict().items()
        }
    for name, tensor in average.network.state_dict().items():
        torch.testing.assert_close(tensor, expected[name], msg=name)


def test_the_first_weights_are_forgotten_as_the_schedule_of_decays_says():
    model = network.build(small(), seed=0)
    average = AveragedNetwork(model, 0.3)
    weight = next(model.parameters())
    expected = weight.detach().clone()
    for step, decay in enumerate((1 / 10, 2 / 11, 3 / 12, 0.3, 0.3)):
        moved(model, step)
        average.update(step)
        expected = decay * expected + (1 - decay) * weight.detach()
        torch.testing.assert_close(next(average.network.parameters()), expected)


def test_the_model_does_not_feel_its_average():
    model = network.build(small(), seed=0)
    average = AveragedNetwork(model, 0.9)
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    moved(average.network, 1)
    for name, tensor in model.state_dict().items():
        assert torch.equal(tensor, before[name])
