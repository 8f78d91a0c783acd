"""A sequence of layers whose weights are functions of features given with each image."""

import torch
from torch import Tensor, nn

from vaesweep.errors import ConfigError

RANK = 32
"""Rank of what features add to the weights of a dense layer."""
ALPHA = 3.0
"""What this and what they add to the biases are multiplied by: with Adam they learn as many times faster."""


class Modulated(nn.Module):
    """`layers` with weights that are functions of `features` [B, k], those of each image its own.

    The features f add a low-rank product (Hu et al. 2022, eq. 3, a = 3 is their alpha/r) to the weights of a dense
    layer, and a linear function to its biases: W x + b becomes W x + b + a (U (g * V x) + T f). They scale and shift
    the output h of any other layer that has weights, one s and t per channel: (1 + s) * h + t (feature-wise linear
    modulation, Perez et al. 2018, eq. 2). g, s and t are affine functions of f. At the start U = T = s = t = 0: the
    layers are what they were.
    `example` is an input of the layers. Raises `ConfigError` unless `layers` is a sequence.
    """

    def __init__(self, layers: nn.Module, features: int, example: Tensor) -> None:
        super().__init__()
        if type(layers) is not nn.Sequential:
            raise ConfigError("network", type(layers).__name__, "a network whose encoder and decoder are nn.Sequential")
        self.layers = layers
        self.modulations = nn.ModuleDict()
        was_training, x = layers.training, example
        layers.eval()
        with torch.no_grad():
            for i, layer in enumerate(layers):
                x = layer(x)
                if type(layer) is nn.Linear and x.dim() == 2:
                    self.modulations[str(i)] = DenseModulation(layer.in_features, layer.out_features, features)
                elif list(layer.parameters()):
                    self.modulations[str(i)] = ChannelModulation(x.shape[1], features)
        layers.train(was_training)

    def forward(self, x: Tensor, features: Tensor) -> Tensor:
        """The output of the layers for `x` [B, ...] and `features` [B, k], or those of all images [1, k]."""
        for i, layer in enumerate(self.layers):
            inputs, x = x, layer(x)
            if str(i) in self.modulations:
                x = self.modulations[str(i)](inputs, x, features)
        return x


class DenseModulation(nn.Module):
    """h + a (U (g * V x) + T f) for the output h [B, outputs] of a dense layer and its input x [B, inputs]."""

    def __init__(self, inputs: int, outputs: int, features: int) -> None:
        super().__init__()
        self.v = nn.Linear(inputs, RANK, bias=False)
        self.g = nn.Linear(features, RANK)
        self.ut = nn.Linear(RANK + features, outputs, bias=False)  # U and T beside each other, for one product
        nn.init.zeros_(self.ut.weight)

    def forward(self, x: Tensor, h: Tensor, features: Tensor) -> Tensor:
        factors = torch.cat([self.v(x) * self.g(features), features.expand(len(x), -1)], dim=1)
        return torch.addmm(h, factors, self.ut.weight.t(), alpha=ALPHA)


class ChannelModulation(nn.Module):
    """(1 + s) * h + t for the output h [B, channels, ...] of a layer."""

    def __init__(self, channels: int, features: int) -> None:
        super().__init__()
        self.scale_and_shift = zero_linear(features, 2 * channels)

    def forward(self, x: Tensor, h: Tensor, features: Tensor) -> Tensor:
        modulation = self.scale_and_shift(features)
        scale, shift = modulation.reshape(*modulation.shape, *[1] * (h.dim() - 2)).chunk(2, dim=1)
        return torch.addcmul(h + shift, scale, h)


def zero_linear(inputs: int, outputs: int) -> nn.Linear:
    """An affine map that is zero at the start."""
    layer = nn.Linear(inputs, outputs)
    nn.init.zeros_(layer.weight)
    nn.init.zeros_(layer.bias)
    return layer
