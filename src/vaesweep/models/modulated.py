"""A sequence of layers whose weights are functions of features given with each image."""

import torch
from torch import Tensor, nn

from vaesweep.errors import ConfigError

RANK = 32
"""Rank of what features add to the weights of a dense layer."""


class Modulated(nn.Module):
    """`layers` with weights that are functions of `features` [B, k], those of each image its own.

    A dense layer's product W x becomes W x + U (g * V x), with low-rank U and V (Hu et al. 2022, eq. 3), and the output
    h of each layer with weights becomes (1 + s) * h + t before the activation, one s and t per unit or channel
    (feature-wise linear modulation, Perez et al. 2018, eq. 2). g, s and t are affine functions of the features. At the
    start U = s = t = 0: the layers are what they were. `example` is an input of the layers. Raises `ConfigError` unless
    `layers` is a sequence.
    """

    def __init__(self, layers: nn.Module, features: int, example: Tensor) -> None:
        super().__init__()
        if type(layers) is not nn.Sequential:
            raise ConfigError("network", type(layers).__name__, "a network whose encoder and decoder are nn.Sequential")
        self.layers = layers
        self.products, self.modulations = nn.ModuleDict(), nn.ModuleDict()
        was_training, x = layers.training, example
        layers.eval()
        with torch.no_grad():
            for i, layer in enumerate(layers):
                x = layer(x)
                if type(layer) is nn.Linear:
                    self.products[str(i)] = LowRankProduct(layer.in_features, layer.out_features, features)
                if list(layer.parameters()):
                    self.modulations[str(i)] = zero_linear(features, 2 * x.shape[1])
        layers.train(was_training)

    def forward(self, x: Tensor, features: Tensor) -> Tensor:
        """The output of the layers for `x` [B, ...] and `features` [B, k]."""
        for i, layer in enumerate(self.layers):
            inputs, x = x, layer(x)
            if str(i) in self.products:
                x = x + self.products[str(i)](inputs, features)
            if str(i) in self.modulations:
                modulation = self.modulations[str(i)](features)
                scale, shift = modulation.reshape(*modulation.shape, *[1] * (x.dim() - 2)).chunk(2, dim=1)
                x = torch.addcmul(x + shift, scale, x)
        return x


class LowRankProduct(nn.Module):
    """U (g * V x) [B, outputs], with g an affine function of `features` [B, k]; 0 at the start."""

    def __init__(self, inputs: int, outputs: int, features: int) -> None:
        super().__init__()
        self.v = nn.Linear(inputs, RANK, bias=False)
        self.g = nn.Linear(features, RANK)
        self.u = nn.Linear(RANK, outputs, bias=False)
        nn.init.zeros_(self.u.weight)

    def forward(self, x: Tensor, features: Tensor) -> Tensor:
        product: Tensor = self.u(self.v(x) * self.g(features))
        return product


def zero_linear(inputs: int, outputs: int) -> nn.Linear:
    """An affine map that is zero at the start."""
    layer = nn.Linear(inputs, outputs)
    nn.init.zeros_(layer.weight)
    nn.init.zeros_(layer.bias)
    return layer
