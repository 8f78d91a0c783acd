"""Layers whose weights are functions of features."""

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


def test_every_unit_and_channel_is_scaled_and_shifted_and_dense_weights_have_a_low_rank_product_added():
    x, features = torch.randn(7, 1, 6, 6), torch.randn(7, 4)
    made = Modulated(layers(), 4, x[:1])
    for parameter in (*made.modulations.parameters(), *made.products.parameters()):
        nn.init.normal_(parameter, std=0.3)
    (scale1, shift1), (scale2, shift2), (scale3, shift3) = (
        part(features).chunk(2, dim=1) for part in made.modulations.values()
    )
    first, _, flat, second, _, last = layers()
    hidden = ((1 + scale1)[:, :, None, None] * first(x) + shift1[:, :, None, None]).relu()
    for i in range(7):  # the weights of each image on its own
        products = [p.u.weight @ p.g(features[i]).diag() @ p.v.weight for p in made.products.values()]
        inner = (second.weight + products[0]) @ flat(hidden)[i] + second.bias
        inner = ((1 + scale2[i]) * inner + shift2[i]).relu()
        expected = (1 + scale3[i]) * ((last.weight + products[1]) @ inner + last.bias) + shift3[i]
        assert torch.allclose(made(x, features)[i], expected, atol=1e-5)


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
