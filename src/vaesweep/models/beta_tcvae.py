"""The beta-TCVAE: a VAE with a weight for each of three parts of its rate."""

import math
from dataclasses import replace

import torch
from torch import Tensor

from vaesweep.model_declaration import Declaration
from vaesweep.models.across_processes import gather_over_ranks
from vaesweep.models.distributions import DiagonalGaussian, Dirac, Likelihood, standard_normal_log_prob
from vaesweep.models.networks import Network
from vaesweep.models.schedules import Constant
from vaesweep.models.types import Spec
from vaesweep.models.vae import VAE
from vaesweep.settings.check_arguments import check_float

PARTS = ("mutual_information", "total_correlation", "dimensionwise_kl")


class BetaTCVAE(VAE):
    """VAE with loss = distortion + alpha * mutual information + beta * total correlation + gamma * dimension-wise KL.

    Chen et al. 2018, eq. 4. The three parts add up to the KL, so that alpha = beta = gamma is the beta-VAE up to the
    noise of one sample. With z_i drawn from q(z|x_i), i = 1 ... M a minibatch of N training images, minibatch weighted
    sampling (their eq. S5) estimates

        log q(z_i) = log 1/(N M) sum_j q(z_i|x_j),    log q(z_id) = log 1/(N M) sum_j q(z_id|x_j).

    - mutual information: mean_i log q(z_i|x_i) - log q(z_i);
    - total correlation: mean_i log q(z_i) - sum_d log q(z_id);
    - dimension-wise KL: mean_i sum_d log q(z_id) - log p(z_id).

    The estimates are biased: where codes overlap, each log q is too low by up to log N, which shifts mutual information
    by log N, total correlation by (d - 1) log N and dimension-wise KL by -d log N, and the loss by a constant, which
    has no gradient. Compare the estimates only between runs with the same `data.batch_size`, data and `latent_dim`. The
    rate itself is exact; `evaluate.py` computes its parts over the whole split. On several devices M counts the images
    of all of them. Batches of different size are weighted by their number of pairs. Raises `ConfigError`.
    """

    alpha: Tensor
    gamma: Tensor

    def __init__(
        self,
        network: Network,
        spec: Spec,
        latent_dim: int,
        likelihood: Likelihood,
        alpha: float,
        beta: float,
        gamma: float,
    ) -> None:
        super().__init__(network, spec, latent_dim, likelihood, Constant(), beta)
        self.register_buffer("alpha", torch.tensor(check_float("alpha", alpha, 0)))
        self.register_buffer("gamma", torch.tensor(check_float("gamma", gamma, 0)))
        self.images = spec.images

    @property
    def declaration(self) -> Declaration:
        is_beta_vae = bool(self.alpha == self.beta == self.gamma)
        vae_declaration = super().declaration
        return replace(
            vae_declaration,
            terms={**vae_declaration.terms, **dict.fromkeys(PARTS, "nats per image, minibatch estimate")},
            rate_weight="beta" if is_beta_vae else None,
        )

    def batch_means(self, posterior: Dirac | DiagonalGaussian, seen: Tensor, label: Tensor, noise: Tensor) -> Tensor:
        """KL of each dimension [d]; then the parts of the rate times the batch's size M, and M itself."""
        assert isinstance(posterior, DiagonalGaussian)
        z = posterior.sample(noise)
        all_posteriors = DiagonalGaussian(*map(gather_over_ranks, posterior)) if self.training else posterior
        size = len(all_posteriors.mean)
        pairs = all_posteriors.log_prob(z[:, None])
        conditional = posterior.log_prob(z).sum(1)
        joint = pairs.sum(2).logsumexp(1) - math.log(self.images * size)
        product = (pairs.logsumexp(1) - math.log(self.images * size)).sum(1)
        prior = standard_normal_log_prob(z).sum(1)
        parts = torch.stack([conditional - joint, joint - product, product - prior]).mean(1)
        return torch.cat([posterior.kl().mean(0), size * parts, parts.new_full((1,), size)])

    def penalties(self, means: Tensor) -> tuple[Tensor, Tensor]:
        parts = means[-4:-1] / means[-1]
        weights = torch.stack([self.alpha, self.beta, self.gamma])
        return torch.cat([means[:-4].sum()[None], parts]), (weights * parts).sum()

    def dimensions(self, means: Tensor, variance: Tensor) -> Tensor:
        return means[:-4]
