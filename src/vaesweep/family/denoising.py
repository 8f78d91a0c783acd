"""The denoising autoencoder."""

import torch
from torch import Tensor
from torch.special import ndtri

from vaesweep.checks import choice, real
from vaesweep.distributions import Likelihood
from vaesweep.family.autoencoder import Autoencoder
from vaesweep.networks import Network
from vaesweep.terms import Batch, Spec

CORRUPTIONS = ("masking", "gaussian", "salt_pepper")


def corrupted(image: Tensor, noise: Tensor, corruption: str, level: Tensor) -> Tensor:
    """`image` corrupted as `Denoising` says, by standard normal `noise` of its shape.

    One normal draw serves every kind: P(noise < Phi^-1(p)) = p.
    """
    if corruption == "gaussian":
        return image + level * noise
    if corruption == "masking":
        return image.masked_fill(noise < ndtri(level), 0)
    edge = ndtri(level / 2)
    return image.masked_fill(noise < edge, 0).masked_fill(noise > -edge, 1)


def checked_level(corruption: str, level: object, key: str = "level") -> float:
    """`level` when it is one that `corruption` can have. Raises `Invalid`."""
    return real(key, level, 0, float("inf") if corruption == "gaussian" else 1.0)


class Denoising(Autoencoder):
    """Encode a corrupted image, reconstruct the clean one (Vincent et al. 2008, sec. 2.3; 2010, sec. 3.3).

    `corruption` with its `level`: `masking` sets each pixel to 0 with that probability; `salt_pepper` to 0 or
    1 by a fair coin; `gaussian` adds N(0, level^2). The level is 0 to 1, for `gaussian` 0 or more.
    """

    level: Tensor

    def __init__(
        self,
        network: Network,
        spec: Spec,
        latent_dim: int,
        likelihood: Likelihood,
        code: str,
        corruption: str,
        level: float,
    ) -> None:
        super().__init__(network, spec, latent_dim, likelihood, code)
        self.corruption = choice("corruption", corruption, CORRUPTIONS)
        self.register_buffer("level", torch.tensor(checked_level(corruption, level)))

    def noise_shape(self, batch: Batch) -> tuple[int, ...]:
        return tuple(batch.image.shape)

    def corrupt(self, image: Tensor, noise: Tensor) -> Tensor:
        return corrupted(image, noise, self.corruption, self.level)
