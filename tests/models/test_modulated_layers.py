"""Layers whose weights are functions of features."""

import pytest
import torch
from torch import nn

from vaesweep.errors import ConfigError
from vaesweep.models.modulated_layers import RANK, Modulated


def layers():
    torch.manual_seed(0)
    convolution = nn.Sequential(nn.Conv2d(1, 3, 3), nn.ReLU(), nn.Flatten(), nn.Linear(3 * 4 * 4, 5), nn.ReLU())
    return nn.Sequential(*convolution, nn.Linear(5, 2))


def test_at_the_start_the_layers_are_what_they_were():
    x, features = torch.randn(7, 1, 6, 6), torch.randn(7, 4)
    assert torch.equal(Modulated(layers(), 4, x[:1])(x, features), layers()(x))


def test_channels_are_scaled_and_shifted_and_dense_layers_have_weights_and_biases_of_each_image():
    x, features = torch.randn(7, 1, 6, 6), torch.randn(7, 4)
    made = Modulated(layers(), 4, x[:1])
    for parameter in made.modulations.parameters():
        nn.init.normal_(parameter, std=0.3)
    channels, *dense = made.modulations.values()
    scale, shift = channels.scale_and_shift(features)[:, :, None, None].chunk(2, dim=1)
    first, _, flat, second, _, last = layers()
    hidden = flat(((1 + scale) * first(x) + shift).relu())
    for i in range(7):  # the weights of each image on its own
        (weight, bias), (last_weight, last_bias) = (
            (3 * u @ each.g(features[i]).diag() @ each.v.weight, 3 * t @ features[i])
            for each in dense
            for u, t in [each.ut.weight.split([RANK, 4], dim=1)]
        )
        inner = ((second.weight + weight) @ hidden[i] + second.bias + bias).relu()
        expected = (last.weight + last_weight) @ inner + last.bias + last_bias
        assert torch.allclose(made(x, features)[i], expected, atol=1e-4)
        assert torch.allclose(made(x, features[i : i + 1])[i], expected, atol=1e-4)  # those of all images


def test_a_dense_layer_along_the_last_of_more_dimensions_has_channels():
    x, features = torch.randn(7, 3, 6), torch.randn(7, 4)
    made = Modulated(nn.Sequential(nn.Linear(6, 5)), 4, x[:1])
    nn.init.normal_(made.modulations["0"].scale_and_shift.weight)
    scale, shift = made.modulations["0"].scale_and_shift(features)[:, :, None].chunk(2, dim=1)
    assert torch.allclose(made(x, features), (1 + scale) * made.layers(x) + shift, atol=1e-6)


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
