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
    """Var_x(E[z_j|x]) of every dimension j [..., d]: how much its posterior mean varies with the image.

    Squared distances from the mean are added up batch by batch (Chan et al. 1983, eq. 2.1), because a difference of
    large sums would lose the digits of a small variance.
    """

    count: Tensor
    mean: Tensor
    squares: Tensor

    def __init__(self, latent_dim: int) -> None:
        super().__init__()
        for name, shape in {"count": (), "mean": (latent_dim,), "squares": (latent_dim,)}.items():
            self.add_state(name, torch.zeros(shape), dist_reduce_fx=None)  # several processes' lie along a new axis

    def update(self, means: Tensor) -> None:
        """Posterior means [..., B, d]; a process without images gives B = 0."""
        if means.shape[-2] == 0:  # several processes' states have one type
            self.mean, self.squares = self.mean.to(means.dtype), self.squares.to(means.dtype)
            return
        mean, number = means.mean(-2), means.shape[-2]
        total, distance = self.count + number, mean - self.mean
        squares = (means - mean.unsqueeze(-2)).square().sum(-2)
        self.squares = self.squares + squares + distance.square() * self.count * number / total
        self.mean = self.mean + distance * number / total
        self.count = total

    def compute(self) -> Tensor:
        if self.count.ndim == 0:
            return self.squares / self.count
        count = self.count.view(-1, *[1] * (self.mean.ndim - 1))
        mean = (count * self.mean).sum(0) / count.sum()
        return (self.squares + count * (self.mean - mean).square()).sum(0) / count.sum()


def active_units(variance: Tensor, scale: Tensor | float = 1.0) -> Tensor:
    """Number of dimensions j with Var_x(E[z_j|x]) > 0.01 * `scale`, from the variances [d].

    For a posterior the scale is the prior's variance, 1 (Burda et al. 2016, sec. 5.2). A point code has no scale of
    its own: it takes that of its most variable dimension, so that a dead unit varies little compared with the others.
    """
    return (variance > THRESHOLD * scale).sum()
