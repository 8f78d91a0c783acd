"""The variational autoencoder; beta-VAE, warm-ups, capacity and free bits are settings of it."""

import torch
from torch import Tensor

from vaesweep.model_declaration import Declaration
from vaesweep.models.autoencoder import Autoencoder
from vaesweep.models.distributions import DiagonalGaussian, Dirac, Likelihood
from vaesweep.models.half_precision import upcast_half
from vaesweep.models.networks import Network
from vaesweep.models.schedules import Schedule
from vaesweep.models.types import Batch, Spec
from vaesweep.settings.check_arguments import check_float


class VAE(Autoencoder):
    """VAE with loss = E_q[-log p(x|z)] + beta * KL(q(z|x) || N(0, I)), one sample z = mean + sigma * noise.

    beta = 1 is the negative ELBO (Kingma & Welling 2014, eq. 10), any other the beta-VAE (Higgins et al. 2017,
    eq. 4). `schedule` shapes the KL over training, or holds it at a target. `free_bits` lambda counts a dimension's
    batch-mean KL as at least lambda nats (Kingma et al. 2016, eq. 15, one group per dimension). The recorded rate is
    the true KL.
    """

    features_per_latent = 2
    beta: Tensor
    free_bits: Tensor

    def __init__(
        self,
        network: Network,
        spec: Spec,
        latent_dim: int,
        likelihood: Likelihood,
        schedule: Schedule,
        beta: float = 1.0,
        free_bits: float = 0.0,
        conditions: int = 0,
    ) -> None:
        super().__init__(network, spec, latent_dim, likelihood, conditions=conditions)
        self.schedule = schedule
        self.register_buffer("beta", torch.tensor(check_float("beta", beta, 0)))
        self.register_buffer("free_bits", torch.tensor(check_float("free_bits", free_bits, 0)))

    @property
    def declaration(self) -> Declaration:
        target, learned = self.schedule.target, self.schedule.learned_weight
        is_plain = target is None and not self.free_bits.any()
        return Declaration(
            terms={"kl": "nats per image"} | ({} if learned is None else {"kl_weight": "nats per nat of KL"}),
            rate="kl",
            rate_weight="beta" if is_plain else None,
            rate_target=None if target is None else target.item(),
            dimension_unit="KL (nats)",
        )

    def noise_shape(self, batch: Batch) -> tuple[int, ...]:
        return len(batch.image), self.latent_dim

    def posterior(self, image: Tensor, label: Tensor) -> DiagonalGaussian:
        """q(z|x) = N(mean, diag(exp(logvar)))."""
        return DiagonalGaussian.split(upcast_half(self.encoder(image, self.condition(label))))

    def batch_means(self, posterior: Dirac | DiagonalGaussian, seen: Tensor, label: Tensor, noise: Tensor) -> Tensor:
        """KL of each dimension [d], nats."""
        assert isinstance(posterior, DiagonalGaussian)
        return posterior.kl().mean(0)

    def penalties(self, means: Tensor) -> tuple[Tensor, Tensor]:
        bounded_kl, learned = means.maximum(self.free_bits).sum(), self.schedule.learned_weight
        terms = [means.sum()] if learned is None else [means.sum(), self.beta * learned]
        return torch.stack(terms), self.beta * self.schedule(bounded_kl, self.progress)

    def dimensions(self, means: Tensor, variance: Tensor) -> Tensor:
        return means
