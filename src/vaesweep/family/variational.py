"""The variational autoencoder; beta-VAE, warm-ups, capacity and free bits are settings of it."""

import torch
from torch import Tensor, nn

from vaesweep.checks import real
from vaesweep.distributions import DiagonalGaussian, Dirac, Likelihood
from vaesweep.family.autoencoder import Autoencoder
from vaesweep.networks import Network
from vaesweep.terms import Batch, Spec, in_full


class Variational(Autoencoder):
    """loss = E_q[-log p(x|z)] + beta * KL(q(z|x) || N(0, I)), one sample z = mean + sigma * noise.

    beta = 1 is the negative ELBO (Kingma & Welling 2014, eq. 10), any other the beta-VAE (Higgins et al. 2017,
    eq. 4). `schedule` shapes the KL over training. `free_bits` lambda counts a dimension's batch-mean KL as at
    least lambda nats (Kingma et al. 2016, eq. 15, one group a dimension). The recorded penalty is the true KL.
    """

    penalty_name = "kl"
    features_per_latent = 2
    beta: Tensor
    free_bits: Tensor

    def __init__(
        self,
        network: Network,
        spec: Spec,
        latent_dim: int,
        likelihood: Likelihood,
        schedule: nn.Module,
        beta: float = 1.0,
        free_bits: float = 0.0,
        conditions: int = 0,
    ) -> None:
        super().__init__(network, spec, latent_dim, likelihood, conditions=conditions)
        self.schedule = schedule
        self.register_buffer("beta", torch.tensor(real("beta", beta, 0)))
        self.register_buffer("free_bits", torch.tensor(real("free_bits", free_bits, 0)))

    def noise_shape(self, batch: Batch) -> tuple[int, ...]:
        return len(batch.image), self.latent_dim

    def posterior(self, image: Tensor, label: Tensor) -> DiagonalGaussian:
        """q(z|x) = N(mean, diag(exp(logvar)))."""
        return DiagonalGaussian.split(in_full(self.encoder(image, self.condition(label))))

    def means(self, posterior: Dirac | DiagonalGaussian, seen: Tensor, label: Tensor, noise: Tensor) -> Tensor:
        """KL of each dimension [d], nats."""
        assert isinstance(posterior, DiagonalGaussian)
        return posterior.kl().mean(0)

    def penalty(self, means: Tensor) -> tuple[Tensor, Tensor]:
        counted = means.maximum(self.free_bits).sum()
        return means.sum(), self.beta * self.schedule(counted, self.progress)
