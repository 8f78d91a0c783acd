"""Posteriors q(z|x) and likelihoods p(x|z) that work inside `torch.func.vmap`."""

import math
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from vaesweep.errors import ConfigError
from vaesweep.settings.check_arguments import check_bool, check_float

LOG_SQRT_2PI = math.log(2 * math.pi) / 2


class Dirac(NamedTuple):
    """A point posterior: q(z|x) = delta(z - mean), `mean` [B, d]."""

    mean: Tensor

    def sample(self, noise: Tensor) -> Tensor:
        """z = mean, whatever `noise` is."""
        return self.mean


class DiagonalGaussian(NamedTuple):
    """q(z|x) = N(mean, diag(sigma^2)) with sigma = exp(logvar / 2); both [B, d] (Kingma & Welling 2014, eq. 9)."""

    mean: Tensor
    logvar: Tensor

    @classmethod
    def split(cls, features: Tensor) -> "DiagonalGaussian":
        """From an encoder's features [B, 2 d]: means first, log-variances second."""
        return cls(*features.chunk(2, dim=-1))

    @property
    def sigma(self) -> Tensor:
        """Standard deviation [B, d]."""
        return (self.logvar / 2).exp()

    def sample(self, noise: Tensor) -> Tensor:
        """z = mean + sigma * noise for standard normal `noise` [B, d] (Kingma & Welling 2014, sec. 2.4)."""
        return self.mean + self.sigma * noise

    def log_prob(self, z: Tensor) -> Tensor:
        """log q(z_d|x) per dimension, nats; `z` broadcasts against [B, d]."""
        return -((z - self.mean).square() * (-self.logvar).exp() + self.logvar) / 2 - LOG_SQRT_2PI

    def kl(self) -> Tensor:
        """KL(q || N(0, I)) per dimension [B, d], nats: (mean^2 + sigma^2 - 1 - logvar) / 2.

        Kingma & Welling 2014, appendix B. `expm1` keeps it from going negative by rounding near the prior.
        """
        return (self.mean.square() + (self.logvar.expm1() - self.logvar)) / 2


def standard_normal_log_prob(z: Tensor) -> Tensor:
    """log N(z; 0, 1) elementwise, nats."""
    return -z.square() / 2 - LOG_SQRT_2PI


def bernoulli_kl(p: Tensor, q: Tensor) -> Tensor:
    """KL(Bernoulli(p) || Bernoulli(q)) elementwise, nats: p log(p/q) + (1-p) log((1-p)/(1-q)).

    `q` is kept inside (0, 1), by the least step there is on either side, so that the KL of a saturated unit is large,
    not infinite, and a unit that is almost off keeps its gradient.
    """
    info = torch.finfo(q.dtype)
    q = q.clamp(info.tiny, 1 - info.eps)
    return torch.xlogy(p, p / q) + torch.xlogy(1 - p, (1 - p) / (1 - q))


class Bernoulli(nn.Module):
    """Likelihood p(x|z) = prod_i Bernoulli(x_i; sigmoid(eta_i)), eta the decoder's logits.

    For grey values x in (0, 1) this is the cross-entropy: the expected negative log-likelihood of a binary image
    drawn with probabilities x. It is at least the entropy of those draws, so it does not go to 0.
    """

    def nll(self, eta: Tensor, x: Tensor) -> Tensor:
        """-log p(x|z) [B], nats per image; `eta` and `x` [B, C, H, W]. Its constant is 0."""
        return F.binary_cross_entropy_with_logits(eta, x, reduction="none").flatten(1).sum(1)

    def mean(self, eta: Tensor) -> Tensor:
        """E[x|z] [B, C, H, W]."""
        return eta.sigmoid()

    def check(self, x: Tensor) -> None:
        """Raises `ConfigError` unless every value of `x` is in [0, 1]."""
        low, high = x.min().item(), x.max().item()
        if not (low >= 0 and high <= 1):
            raise ConfigError(
                "likelihood", f"bernoulli with data in [{low:g}, {high:g}]", "data in [0, 1], or gaussian"
            )


class Gaussian(nn.Module):
    """Likelihood p(x|z) = N(x; eta, sigma^2 I) with one sigma for all pixels, in units of the data's range.

    `learn` makes sigma a parameter that starts at `sigma` (the global variance of Rybkin et al. 2021, sec. 3).
    """

    log_sigma: Tensor

    def __init__(self, sigma: float = 1.0, learn: bool = False) -> None:
        super().__init__()
        start = torch.tensor(math.log(check_float("sigma", sigma, 0, strict=True)))
        if check_bool("learn", learn):
            self.log_sigma = nn.Parameter(start)
        else:
            self.register_buffer("log_sigma", start)

    def nll(self, eta: Tensor, x: Tensor) -> Tensor:
        """-log p(x|z) [B], nats per image: sum_i ((x_i - eta_i) / sigma)^2 / 2 + log sigma + log(2 pi) / 2."""
        residual = (x - eta) / self.log_sigma.exp()
        return (residual.square() / 2 + self.log_sigma + LOG_SQRT_2PI).flatten(1).sum(1)

    def mean(self, eta: Tensor) -> Tensor:
        """E[x|z] [B, C, H, W]."""
        return eta

    def check(self, x: Tensor) -> None:
        """Accepts any real data."""


Likelihood = Bernoulli | Gaussian
