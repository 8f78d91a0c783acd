"""Measures of which latent dimensions a model uses."""

import torch
from torch import Tensor
from torchmetrics import Metric

from vaesweep.models.distributions import DiagonalGaussian, Dirac

THRESHOLD = 0.01


def activity(posterior: Dirac | DiagonalGaussian) -> Tensor:
    """How informative each dimension is [d]: its mean KL in nats, or its variance for a point code."""
    if isinstance(posterior, DiagonalGaussian):
        return posterior.kl().mean(0)
    return posterior.mean.var(0, correction=0)


class CodeVariance(Metric):
    """Var_x(E[z_j|x]) of every dimension j [..., d]: how much its posterior mean varies with the image."""

    first: Tensor
    second: Tensor
    count: Tensor

    def __init__(self, latent_dim: int) -> None:
        super().__init__()
        for name, shape in {"first": (latent_dim,), "second": (latent_dim,), "count": ()}.items():
            self.add_state(name, torch.zeros(shape), dist_reduce_fx="sum")

    def update(self, means: Tensor) -> None:
        """Posterior means [..., B, d]."""
        self.first = self.first + means.sum(-2)
        self.second = self.second + means.square().sum(-2)
        self.count = self.count + means.shape[-2]

    def compute(self) -> Tensor:
        return (self.second / self.count - (self.first / self.count).square()).clamp(min=0)


def active_units(variance: Tensor, scale: Tensor | float = 1.0) -> Tensor:
    """Number of dimensions j with Var_x(E[z_j|x]) > 0.01 * `scale`, from the variances [d].

    For a posterior the scale is the prior's variance, 1 (Burda et al. 2016, sec. 5.2). A point code has no scale of
    its own: it takes that of its most variable dimension, so that a dead unit varies little compared with the others.
    """
    return (variance > THRESHOLD * scale).sum()
