"""The multi-rate VAE: one model that is trained for every weight of the rate in a range."""

import math
from dataclasses import replace
from typing import NamedTuple

import torch
from torch import Tensor, nn

from vaesweep.errors import ConfigError
from vaesweep.model_declaration import Declaration
from vaesweep.models.distributions import DiagonalGaussian, Dirac, Likelihood
from vaesweep.models.half_precision import upcast_half
from vaesweep.models.modulated_layers import Modulated, zero_linear
from vaesweep.models.networks import Encoder, Network
from vaesweep.models.schedules import Constant, ramp
from vaesweep.models.types import Batch, Spec
from vaesweep.models.vae import VAE
from vaesweep.settings.check_arguments import check_float

FEATURES = 16
"""Soft steps along the range of log beta, of which all modulations are affine functions."""
SPREAD, SHIFT = 3.0, 0.4
"""Of log beta in training: above 1, both ends of its range are drawn more often than the middle; above 0, the upper."""


class Modulation(NamedTuple):
    """What the weights of B images, or one of all, do: `features` [B, k] of the networks, and [B, d] each for the code.

    `mean` multiplies the posterior's mean, `code` the decoder's input; `logvar` is added to log sigma^2.
    """

    features: Tensor
    mean: Tensor
    code: Tensor
    logvar: Tensor


class MultiRateVAE(VAE):
    """VAE with loss = mean_i D_i + beta_i KL_i, where each training image i has a weight beta_i of its own.

    Bae et al. 2023: encoder and decoder are given beta_i, so that after one training the model is a beta-VAE for every
    beta from beta_min to beta_max. It is validated, tested and drawn at `beta`, which `set_rate_weight` changes.

    log beta_i = log beta_min + Phi(3 n_i + 0.4) log(beta_max / beta_min) with standard normal n_i and their
    distribution function Phi. The paper's is uniform, Phi(n_i), which on MNIST leaves the middle of the range better
    than separate models of each beta, and its upper end worse.

    In the first `ramp` of training the range grows from beta_max down to beta_min: what is worth its rate at a high
    weight is learned first, and the details are added to it. On MNIST this lowers the distortion at high weights with
    dense networks; with convolutions the curve is lower without.

    The weights of all layers are functions of log beta (`Modulated`; the paper scales hidden layers, by a sigmoid),
    which on MNIST leaves both ends of the range better than scales and shifts of hidden layers alone. The code is
    scaled on top of what is optimal for a linear network (reverse water-filling, the paper's theorem 1): dimension j
    is in use below a weight tau_j, which is learned. With s_j = sqrt(max(0, 1 - beta / tau_j)),

        mean_j = s_j m_j(x),  log sigma_j^2 = l_j(x) + min(0, log(beta / tau_j)),  the decoder's input = s_j z_j.

    Raises `ConfigError`.
    """

    beta_min: Tensor
    beta_max: Tensor
    ramp: Tensor

    def __init__(
        self,
        network: Network,
        spec: Spec,
        latent_dim: int,
        likelihood: Likelihood,
        beta_min: float,
        beta_max: float,
        ramp: float = 0.0,
        beta: float = 1.0,
    ) -> None:
        super().__init__(network, spec, latent_dim, likelihood, Constant(), beta)
        self.register_buffer("ramp", torch.tensor(check_float("ramp", ramp, 0, 1)))
        low = check_float("beta_min", beta_min, 0, strict=True)
        high = check_float("beta_max", beta_max, 0, strict=True)
        if high <= low:
            raise ConfigError("beta_max", beta_max, f"a number above beta_min={low:g}")
        self.register_buffer("beta_min", torch.tensor(low))
        self.register_buffer("beta_max", torch.tensor(high))
        self.set_rate_weight(beta)
        if type(self.encoder) is not Encoder:  # what one of another class computes would be passed by
            raise ConfigError("network", type(self.encoder).__name__, "a network whose encoder is an Encoder itself")
        image = self.encoder.join(torch.zeros(1, *spec.shape))
        self.encoder.body = Modulated(self.encoder.body, FEATURES, image)
        self.decoder = Modulated(self.decoder, FEATURES, torch.zeros(1, latent_dim))
        self.steps = soft_steps(FEATURES)
        self.code_modulation = zero_linear(FEATURES, 3 * latent_dim)
        # far above the range: a dimension that is nearly off at the ramp's start would not learn
        self.log_tau = nn.Parameter(torch.full((latent_dim,), math.log(high) + 3))

    @property
    def declaration(self) -> Declaration:
        return replace(super().declaration, rate_weight_range=(self.beta_min.item(), self.beta_max.item()))

    def set_rate_weight(self, weight: float) -> None:
        low, high = self.beta_min.item(), self.beta_max.item()
        # an end of the range may be a rounding error away from the 32-bit float of the same number
        beta = check_float("beta", weight)
        if not low * (1 - 1e-6) <= beta <= high * (1 + 1e-6):
            raise ConfigError("beta", weight, f"a number from beta_min={low:g} to beta_max={high:g}")
        self.beta.fill_(beta)

    def noise_shape(self, batch: Batch) -> tuple[int, ...]:
        return len(batch.image), self.latent_dim + 1

    def parts(
        self, batch: Batch, noise: Tensor, posterior: Dirac | DiagonalGaussian | None = None
    ) -> tuple[Tensor, Tensor, Dirac | DiagonalGaussian, Tensor]:
        condition = self.modulation(self.log_betas(noise))
        if posterior is None or self.training:
            posterior = self.posterior(batch.image, batch.label, condition)
        eta = self.decode(posterior.sample(noise[:, :-1]), batch.label, condition)
        distortion = self.likelihood.nll(eta, batch.image)
        return distortion, self.batch_means(posterior, batch.image, batch.label, noise), posterior, eta

    def log_betas(self, noise: Tensor) -> Tensor:
        """Log weights: in training of each image [B, 1], from the last column of `noise` [B, d + 1]; else `beta`'s."""
        if not self.training:
            return self.beta.log().view(1, 1)
        low, high = self.beta_min.log(), self.beta_max.log()
        low = high - (high - low) * ramp(self.progress, self.ramp)
        return low + (high - low) * torch.special.ndtr(SPREAD * noise[:, -1:] + SHIFT)

    def modulation(self, log_beta: Tensor | None = None) -> Modulation:
        """What log weights [B, 1], or that of `beta`, do to the networks and to the code."""
        log_beta = self.beta.log().view(1, 1) if log_beta is None else log_beta
        low, high = self.beta_min.log(), self.beta_max.log()
        # of mean 0 and standard deviation 1 over the range
        features = self.steps((log_beta - (low + high) / 2) * math.sqrt(12) / (high - low))
        mean, code, logvar = upcast_half(self.code_modulation(features)).chunk(3, dim=1)
        excess = log_beta - self.log_tau
        # a little above 0, where the root has no derivative
        s = ((1 - excess.exp()).clamp(min=0) + 1e-4).sqrt()
        return Modulation(features, s * mean.exp(), s * code.exp(), excess.clamp(max=0) + logvar)

    def posterior(self, image: Tensor, label: Tensor, condition: Modulation | None = None) -> DiagonalGaussian:
        """q(z|x) under a `modulation`; without one at `beta`."""
        features, factor, _, summand = condition or self.modulation()
        assert isinstance(self.encoder, Encoder)
        outputs = self.encoder.body(self.encoder.join(image), features)
        mean, logvar = DiagonalGaussian.split(upcast_half(outputs))
        return DiagonalGaussian(factor * mean, summand + logvar)

    def decode(self, z: Tensor, label: Tensor, condition: Modulation | None = None) -> Tensor:
        """The likelihood's parameter eta [B, C, H, W] for codes `z` [B, d] under a `modulation`; else at `beta`."""
        features, _, factor, _ = condition or self.modulation()
        return upcast_half(self.decoder(factor * z, features))

    def batch_means(self, posterior: Dirac | DiagonalGaussian, seen: Tensor, label: Tensor, noise: Tensor) -> Tensor:
        """KL of each dimension [d], and the weighted KL, nats."""
        assert isinstance(posterior, DiagonalGaussian)
        kl = posterior.kl()
        weighted = self.log_betas(noise).exp() * kl.sum(1, keepdim=True)
        return torch.cat([kl, weighted], dim=1).mean(0)

    def penalties(self, means: Tensor) -> tuple[Tensor, Tensor]:
        return means[:-1].sum()[None], means[-1]

    def dimensions(self, means: Tensor, variance: Tensor) -> Tensor:
        return means[:-1]


def soft_steps(count: int) -> nn.Sequential:
    """tanh(2 (x - c)) of a number x [B, 1], with `count` centres c over the range of a uniform x of variance 1."""
    layer = nn.Linear(1, count)
    nn.init.constant_(layer.weight, 2.0)
    with torch.no_grad():
        layer.bias.copy_(-2 * torch.linspace(-1.8, 1.8, count))
    return nn.Sequential(layer, nn.Tanh())
