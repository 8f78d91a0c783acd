"""The contractive autoencoder."""

import torch
from torch import Tensor

from vaesweep.checks import real
from vaesweep.distributions import DiagonalGaussian, Dirac, Likelihood
from vaesweep.family.autoencoder import Autoencoder
from vaesweep.jacobian import dense_layers, jacobian, squared_norms
from vaesweep.networks import Encoder, Network
from vaesweep.terms import Spec


class Contractive(Autoencoder):
    """loss = distortion + lam * contraction, contraction = mean_b ||dz/dx(x_b)||_F^2.

    Rifai et al. 2011, eq. 1 and sec. 3, exactly: by `squared_norms` of a dense encoder, row by row of any other.
    (`lam` is the paper's lambda, a word that Python keeps for itself.)
    """

    penalty_name = "contraction"
    lam: Tensor

    def __init__(
        self, network: Network, spec: Spec, latent_dim: int, likelihood: Likelihood, code: str, lam: float
    ) -> None:
        super().__init__(network, spec, latent_dim, likelihood, code)
        self.register_buffer("lam", torch.tensor(real("lam", lam, 0)))

    def means(self, posterior: Dirac | DiagonalGaussian, seen: Tensor, label: Tensor) -> Tensor:
        """The contraction [1]."""
        if layers := dense_layers(self.encoder, self.code):
            assert isinstance(self.encoder, Encoder)
            total = squared_norms(layers, self.encoder.joined(seen, self.condition(label)), seen[0].numel())
        else:
            total = jacobian(lambda image: self.posterior(image, label).mean, seen).square().sum()
        return total[None] / len(seen)

    def penalty(self, means: Tensor) -> tuple[Tensor, Tensor]:
        return means.sum(), self.lam * means.sum()
