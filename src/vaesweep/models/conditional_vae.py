"""The conditional variational autoencoder."""

from dataclasses import replace

import torch
from torch import Tensor

from vaesweep.errors import ConfigError
from vaesweep.model_declaration import Declaration
from vaesweep.models.distributions import Likelihood
from vaesweep.models.networks import Network
from vaesweep.models.schedules import Schedule
from vaesweep.models.types import Spec
from vaesweep.models.vae import VAE


class ConditionalVAE(VAE):
    """A VAE of p(x|y): the class y, one-hot, is one more input to encoder and decoder (Sohn et al. 2015, eq. 4).

    The prior stays N(0, I), independent of y, as in Kingma et al. 2014 (M2, eq. 2).
    """

    def __init__(
        self,
        network: Network,
        spec: Spec,
        latent_dim: int,
        likelihood: Likelihood,
        schedule: Schedule,
        beta: float = 1.0,
        free_bits: float = 0.0,
    ) -> None:
        if spec.classes < 2:
            raise ConfigError(
                "data", "images without classes", "labelled data for cvae (folder: one subfolder a class)"
            )
        super().__init__(network, spec, latent_dim, likelihood, schedule, beta, free_bits, conditions=spec.classes)

    @property
    def declaration(self) -> Declaration:
        return replace(super().declaration, conditional=True)

    def condition(self, label: Tensor) -> Tensor:
        """The class, column 0 of `label` [B, F], one-hot [B, classes]; compared, not indexed, to work in `vmap`."""
        classes = torch.arange(self.classes, device=label.device)
        return (label[:, :1] == classes).float()
