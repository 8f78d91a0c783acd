"""Networks that build encoders and decoders: shapes come from the data and the model, the rest from YAML."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from math import prod
from typing import Protocol

import torch
from torch import Tensor, nn

from vaesweep.errors import ConfigError
from vaesweep.settings.check_arguments import check_choice, check_ints

Shape = tuple[int, int, int]

ACTIVATIONS: dict[str, type[nn.Module]] = {
    "identity": nn.Identity,
    "relu": nn.ReLU,
    "elu": nn.ELU,
    "gelu": nn.GELU,
    "sigmoid": nn.Sigmoid,
    "silu": nn.SiLU,
    "softplus": nn.Softplus,
    "tanh": nn.Tanh,
}


class Network(Protocol):
    """Interface of a network; `conditions` is the width of a condition beside the image (0: none)."""

    def encoder(self, shape: Shape, features: int, conditions: int = 0) -> nn.Module:
        """image [B, *shape], condition [B, conditions] or None -> [B, features]."""

    def decoder(self, features: int, shape: Shape) -> nn.Module:
        """[B, features] -> [B, *shape], unbounded."""


class Encoder(nn.Module):
    """`body` applied to the image joined with a condition: as more inputs, or (`planes`) as constant channels."""

    def __init__(self, body: nn.Module, planes: bool) -> None:
        super().__init__()
        self.body, self.planes = body, planes

    def forward(self, image: Tensor, condition: Tensor | None = None) -> Tensor:
        return self.body(self.join(image, condition))

    def join(self, image: Tensor, condition: Tensor | None = None) -> Tensor:
        """The input of `body`, the image first: [B, pixels + conditions], or planes [B, C + conditions, H, W]."""
        x = image if self.planes else image.flatten(1)
        if condition is not None:
            c = condition.to(x.dtype)
            x = torch.cat([x, c[:, :, None, None].expand(-1, -1, *x.shape[2:]) if self.planes else c], dim=1)
        return x


def activation(name: str, key: str = "activation") -> nn.Module:
    """A new activation by its name in `ACTIVATIONS`. Raises `ConfigError`."""
    return ACTIVATIONS[check_choice(key, name, ACTIVATIONS)]()


def dense(widths: Sequence[int], act: str) -> list[nn.Module]:
    """Linear layers of these widths with activations between them, none after the last."""
    layers: list[nn.Module] = []
    for in_features, out_features in pairwise(widths):
        layers += [nn.Linear(in_features, out_features), activation(act)]
    return layers[:-1]


@dataclass(frozen=True)
class MLP:
    """Dense layers of `hidden` widths, mirrored in the decoder; without hidden widths the network is linear."""

    hidden: Sequence[int]
    activation: str = "relu"

    def __post_init__(self) -> None:
        check_ints("hidden", self.hidden)
        check_choice("activation", self.activation, ACTIVATIONS)

    def encoder(self, shape: Shape, features: int, conditions: int = 0) -> nn.Module:
        widths = [prod(shape) + conditions, *self.hidden, features]
        return Encoder(nn.Sequential(*dense(widths, self.activation)), planes=False)

    def decoder(self, features: int, shape: Shape) -> nn.Module:
        widths = [features, *reversed(self.hidden), prod(shape)]
        return nn.Sequential(*dense(widths, self.activation), nn.Unflatten(1, shape))


@dataclass(frozen=True)
class Conv:
    """Stride-2 convolutions of these channels, then dense layers; the decoder is the mirror image.

    Each convolution halves the image, so its sides must be multiples of 2^len(channels).
    """

    channels: Sequence[int]
    dense: Sequence[int]
    kernel: int
    activation: str = "relu"

    def __post_init__(self) -> None:
        for key in ("channels", "dense"):
            check_ints(key, getattr(self, key))
        if not self.channels:
            raise ConfigError("channels", "[]", "one or more whole numbers of at least 1, such as [32,64]")
        if self.kernel not in (3, 4):
            raise ConfigError("kernel", self.kernel, "3 | 4 (each halves the image exactly)")
        check_choice("activation", self.activation, ACTIVATIONS)

    def inner_shape(self, shape: Shape) -> Shape:
        """Shape after the convolutions, (channels, H / 2^n, W / 2^n). Raises `ConfigError` where that is not whole."""
        factor = 2 ** len(self.channels)
        if shape[1] % factor or shape[2] % factor:
            raise ConfigError("network", f"conv with images of {shape[1]} x {shape[2]}", f"sides divisible by {factor}")
        return self.channels[-1], shape[1] // factor, shape[2] // factor

    def encoder(self, shape: Shape, features: int, conditions: int = 0) -> nn.Module:
        inner_shape, layers = self.inner_shape(shape), list[nn.Module]()
        for in_channels, out_channels in pairwise([shape[0] + conditions, *self.channels]):
            layers += [
                nn.Conv2d(in_channels, out_channels, self.kernel, stride=2, padding=1),
                activation(self.activation),
            ]
        widths = [prod(inner_shape), *self.dense, features]
        return Encoder(nn.Sequential(*layers, nn.Flatten(), *dense(widths, self.activation)), planes=True)

    def decoder(self, features: int, shape: Shape) -> nn.Module:
        inner_shape, layers = self.inner_shape(shape), list[nn.Module]()
        widths = [features, *reversed(self.dense), prod(inner_shape)]
        # a 3x3 kernel needs one more row and column on the way up to double the image exactly
        output_padding = 1 if self.kernel == 3 else 0
        for in_channels, out_channels in pairwise([*reversed(self.channels), shape[0]]):
            upsampling = nn.ConvTranspose2d(
                in_channels, out_channels, self.kernel, stride=2, padding=1, output_padding=output_padding
            )
            layers += [activation(self.activation), upsampling]
        return nn.Sequential(*dense(widths, self.activation), nn.Unflatten(1, inner_shape), *layers)


@dataclass(frozen=True)
class Burgess:
    """The network of Burgess et al. 2018, appendix A: 4x4 stride-2 convolutions of 32 channels down to 4 x 4."""

    activation: str = "relu"

    def conv(self, shape: Shape) -> Conv:
        """Four convolutions for 64 x 64, three for 32 x 32. Raises `ConfigError` for any other size."""
        depth = {(32, 32): 3, (64, 64): 4}.get(shape[1:])
        if depth is None:
            raise ConfigError("network", f"burgess with images of {shape[1]} x {shape[2]}", "32 x 32 | 64 x 64")
        return Conv(channels=(32,) * depth, dense=(256, 256), kernel=4, activation=self.activation)

    def encoder(self, shape: Shape, features: int, conditions: int = 0) -> nn.Module:
        return self.conv(shape).encoder(shape, features, conditions)

    def decoder(self, features: int, shape: Shape) -> nn.Module:
        return self.conv(shape).decoder(features, shape)
