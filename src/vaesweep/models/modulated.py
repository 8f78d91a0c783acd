"""A sequence of layers whose outputs are scaled and shifted as functions of features given with each image."""

import torch
from torch import Tensor, nn

from vaesweep.errors import ConfigError


class Modulated(nn.Module):
    """`layers` whose outputs h become (1 + s) * h + t, with s and t affine functions of `features` [B, k].

    Feature-wise linear modulation (Perez et al. 2018, eq. 2), one s and t per unit or channel. It follows each layer
    that has weights, except the last, before the activation. At the start s = t = 0: the layers are what they were.
    `example` is an input of the layers. Raises `ConfigError` unless `layers` is a sequence.
    """

    def __init__(self, layers: nn.Module, features: int, example: Tensor) -> None:
        super().__init__()
        if type(layers) is not nn.Sequential:
            raise ConfigError("network", type(layers).__name__, "a network whose encoder and decoder are nn.Sequential")
        self.layers = layers
        weighted = [i for i, layer in enumerate(layers) if list(layer.parameters())][:-1]
        self.modulations = nn.ModuleDict()
        was_training, x = layers.training, example
        layers.eval()
        with torch.no_grad():
            for i, layer in enumerate(layers):
                x = layer(x)
                if i in weighted:
                    self.modulations[str(i)] = zero_linear(features, 2 * x.shape[1])
        layers.train(was_training)

    def forward(self, x: Tensor, features: Tensor) -> Tensor:
        """The output of the layers for `x` [B, ...] and `features` [B, k]."""
        for i, layer in enumerate(self.layers):
            x = layer(x)
            if str(i) in self.modulations:
                modulation = self.modulations[str(i)](features)
                scale, shift = modulation.reshape(*modulation.shape, *[1] * (x.dim() - 2)).chunk(2, dim=1)
                x = torch.addcmul(x + shift, scale, x)
        return x


def zero_linear(inputs: int, outputs: int) -> nn.Linear:
    """An affine map that is zero at the start."""
    layer = nn.Linear(inputs, outputs)
    nn.init.zeros_(layer.weight)
    nn.init.zeros_(layer.bias)
    return layer
