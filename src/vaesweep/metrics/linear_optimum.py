"""The exact rate-distortion optimum of a linear VAE with a Gaussian likelihood."""

import math
from typing import NamedTuple

import torch
from torch import Tensor


class Optimum(NamedTuple):
    """The least distortion + beta * rate, all in nats per image, its `sigma`, and the number of dimensions in use."""

    distortion: float
    rate: float
    loss: float
    sigma: float
    active: int


def spectrum(images: Tensor) -> Tensor:
    """Eigenvalues [P] of the covariance (over N) of `images` [N, ...], largest first, in float64."""
    x = images.flatten(1).double()
    x = x - x.mean(0)
    return torch.linalg.eigvalsh(x.T @ x / len(x)).flip(0).clamp(min=0)


def optimum(eigenvalues: Tensor, latent_dim: int, beta: float, sigma: float) -> Optimum:
    """Reverse water-filling (Cover & Thomas 2006, theorem 10.3.3) over the first `latent_dim` eigenvalues lambda [P].

    With a linear encoder and decoder, and a likelihood N(x; Wz + b, sigma^2 I), a direction is used where lambda is
    above beta sigma^2. It then costs 1/2 ln(lambda / (beta sigma^2)) nats of rate and keeps beta / 2 nats of
    distortion; the others keep lambda / (2 sigma^2). To the distortion belongs the constant P/2 ln(2 pi sigma^2). The
    slope -dD/dR is beta.
    """
    noise = sigma**2
    active = int((eigenvalues[:latent_dim] > beta * noise).sum())
    constant = len(eigenvalues) / 2 * math.log(2 * math.pi * noise)
    rate = (eigenvalues[:active] / (beta * noise)).log().sum().item() / 2
    distortion = beta / 2 * active + eigenvalues[active:].sum().item() / (2 * noise) + constant
    return Optimum(distortion, rate, distortion + beta * rate, sigma, active)


def optimum_with_learned_sigma(eigenvalues: Tensor, latent_dim: int) -> Optimum:
    """The optimum at beta = 1 over sigma as well: the maximum likelihood of probabilistic PCA.

    sigma^2 is the mean of the eigenvalues that are not used (Tipping & Bishop 1999, eq. 8), and the loss is
    P/2 ln(2 pi) + P/2 + 1/2 sum ln lambda_used + (P - d)/2 ln sigma^2 (their eq. 4).
    """
    active = min(latent_dim, len(eigenvalues) - 1)
    noise = eigenvalues[active:].mean().item()
    return optimum(eigenvalues, active, 1.0, math.sqrt(noise))
