"""Layers that are scaled and shifted as functions of features."""

import pytest
import torch
from torch import nn

from vaesweep.errors import ConfigError
from vaesweep.models.modulated import Modulated


def layers():
    torch.manual_seed(0)
    convolution = nn.Sequential(nn.Conv2d(1, 3, 3), nn.ReLU(), nn.Flatten(), nn.Linear(3 * 4 * 4, 5), nn.ReLU())
    return nn.Sequential(*convolution, nn.Linear(5, 2))


def test_at_the_start_the_layers_are_what_they_were():
    x, features = torch.randn(7, 1, 6, 6), torch.randn(7, 4)
    assert torch.equal(Modulated(layers(), 4, x[:1])(x, features), layers()(x))


def test_every_unit_and_channel_but_those_of_the_last_layer_is_scaled_and_shifted():
    x, features = torch.randn(7, 1, 6, 6), torch.randn(7, 4)
    made = Modulated(layers(), 4, x[:1])
    for part in made.modulations.values():
        nn.init.normal_(part.weight)
        nn.init.normal_(part.bias)
    first, _, flat, second, _, last = layers()
    (scale, shift), (scale2, shift2) = (part(features).chunk(2, dim=1) for part in made.modulations.values())
    hidden = ((1 + scale)[:, :, None, None] * first(x) + shift[:, :, None, None]).relu()
    expected = last(((1 + scale2) * second(flat(hidden)) + shift2).relu())
    assert torch.allclose(made(x, features), expected, atol=1e-6)


def test_batch_norm_keeps_its_statistics_while_shapes_are_found():
    norm = nn.BatchNorm1d(3)
    made = Modulated(nn.Sequential(nn.Linear(2, 3), norm, nn.Linear(3, 1)), 4, torch.zeros(1, 2))
    assert norm.num_batches_tracked == 0
    assert made.training


def test_layers_that_are_no_sequence_are_refused():
    with pytest.raises(ConfigError, match=r"network: got Linear; allowed: .*nn\.Sequential"):
        Modulated(nn.Linear(2, 2), 4, torch.zeros(1, 2))
    with pytest.raises(ConfigError, match=r"network: got Residual; allowed: .*nn\.Sequential"):
        Modulated(Residual(nn.Linear(2, 2)), 4, torch.zeros(1, 2))


class Residual(nn.Sequential):
    def forward(self, x):
        return x + super().forward(x)
