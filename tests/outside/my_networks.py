"""A network: residual blocks with GroupNorm."""

from dataclasses import dataclass

from torch import nn

from vaesweep.models.networks import Encoder


class Block(nn.Module):
    """x + conv(relu(norm(x)))."""

    def __init__(self, channels):
        super().__init__()
        self.body = nn.Sequential(nn.GroupNorm(2, channels), nn.ReLU(), nn.Conv2d(channels, channels, 3, padding=1))

    def forward(self, x):
        return x + self.body(x)


@dataclass(frozen=True)
class ResNet:
    """`blocks` residual blocks at half the size of the image."""

    channels: int
    blocks: int

    def encoder(self, shape, features, conditions=0):
        depth, height, width = shape
        layers = [nn.Conv2d(depth + conditions, self.channels, 4, 2, 1), *self.middle(), nn.ReLU(), nn.Flatten()]
        return Encoder(nn.Sequential(*layers, nn.Linear(self.channels * height * width // 4, features)), planes=True)

    def decoder(self, features, shape):
        depth, height, width = shape
        inner = (self.channels, height // 2, width // 2)
        start = nn.Linear(features, self.channels * height * width // 4), nn.Unflatten(1, inner)
        return nn.Sequential(*start, *self.middle(), nn.ReLU(), nn.ConvTranspose2d(self.channels, depth, 4, 2, 1))

    def middle(self):
        return [Block(self.channels) for _ in range(self.blocks)]
