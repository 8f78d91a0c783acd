"""The contractive autoencoder."""

from collections.abc import Callable

import torch
from torch import Tensor
from torch.func import vjp, vmap

from vaesweep.checks import real
from vaesweep.distributions import DiagonalGaussian, Dirac, Likelihood
from vaesweep.family.autoencoder import Autoencoder
from vaesweep.networks import Network
from vaesweep.terms import Spec


def jacobian(encode: Callable[[Tensor], Tensor], image: Tensor) -> Tensor:
    """dz/dx of every image, [d, B, C, H, W], for codes z = encode(image) [B, d]. Exact where images do not mix.

    One backward pass a latent dimension, vectorised.
    """
    z, pull = vjp(encode, image)[:2]
    # row j of every image's Jacobian at once: images do not mix, so one cotangent serves the whole batch
    units = torch.eye(z.shape[1], dtype=z.dtype, device=z.device)
    (rows,) = vmap(pull)(units[:, None, :].expand(-1, len(z), -1))
    return rows


class Contractive(Autoencoder):
    """loss = distortion + lam * contraction, contraction = mean_b ||dz/dx(x_b)||_F^2.

    Rifai et al. 2011, eq. 1 and sec. 3, with the exact `jacobian`. (`lam` is the paper's lambda, a word that Python
    keeps for itself.)
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
        rows = jacobian(lambda image: self.posterior(image, label).mean, seen)
        return rows.square().sum()[None] / len(seen)

    def penalty(self, means: Tensor) -> tuple[Tensor, Tensor]:
        return means.sum(), self.lam * means.sum()
