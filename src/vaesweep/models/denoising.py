"""The denoising autoencoder."""

import torch
from torch import Tensor

from vaesweep.models.autoencoder import Autoencoder
from vaesweep.models.corruption import CORRUPTIONS, check_level, corrupt_image
from vaesweep.models.distributions import Likelihood
from vaesweep.models.networks import Network
from vaesweep.models.types import Batch, Spec
from vaesweep.settings.check_arguments import check_choice


class DenoisingAutoencoder(Autoencoder):
    """Autoencoder from a corrupted image to the clean one (Vincent et al. 2008, sec. 2.3; 2010, sec. 3.3).

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
        self.corruption = check_choice("corruption", corruption, CORRUPTIONS)
        self.register_buffer("level", torch.tensor(check_level(corruption, level)))

    def noise_shape(self, batch: Batch) -> tuple[int, ...]:
        return tuple(batch.image.shape)

    def corrupt(self, image: Tensor, noise: Tensor) -> Tensor:
        return corrupt_image(image, noise, self.corruption, self.level)
