"""Which latent dimensions a member uses."""

import torch
from torch import Tensor
from torchmetrics import Metric

from vaesweep.distributions import DiagonalGaussian, Dirac

THRESHOLD = 0.01


def activity(posterior: Dirac | DiagonalGaussian) -> Tensor:
    """How much each dimension says about the images [d]: its mean KL in nats; for a point code, its variance."""
    if isinstance(posterior, DiagonalGaussian):
        return posterior.kl().mean(0)
    return posterior.mean.var(0, correction=0)


class ActiveUnits(Metric):
    """Number of dimensions whose posterior mean varies with the image (Burda et al. 2016, sec. 5.2).

    A dimension j counts when Var_x(E[z_j|x]) > 0.01.
    """

    first: Tensor
    second: Tensor
    count: Tensor

    def __init__(self, latent_dim: int) -> None:
        super().__init__()
        for name, shape in {"first": (latent_dim,), "second": (latent_dim,), "count": ()}.items():
            self.add_state(name, torch.zeros(shape), dist_reduce_fx="sum")

    def update(self, means: Tensor) -> None:
        """Posterior means [B, d]."""
        self.first += means.sum(0)
        self.second += means.square().sum(0)
        self.count += len(means)

    def compute(self) -> Tensor:
        variance = self.second / self.count - (self.first / self.count).square()
        return (variance > THRESHOLD).sum()
