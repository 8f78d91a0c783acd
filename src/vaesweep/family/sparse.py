"""The sparse autoencoder."""

import torch
from torch import Tensor

from vaesweep.checks import Invalid, choice, real
from vaesweep.distributions import DiagonalGaussian, Dirac, Likelihood, bernoulli_kl
from vaesweep.family.autoencoder import Autoencoder
from vaesweep.networks import Network
from vaesweep.terms import Spec


class Sparse(Autoencoder):
    """loss = distortion + beta * sparsity, over a code that may well be wider than the data (Ng 2011, sec. 3).

    `penalty` `kl`: sum_j KL(rho || rho_hat_j), rho_hat_j the mean of sigmoid unit j over the whole batch;
    `l1`: mean over the batch of sum_j |z_j|, which leaves rho unused.
    """

    penalty_name = "sparsity"
    beta: Tensor
    rho: Tensor

    def __init__(
        self,
        network: Network,
        spec: Spec,
        latent_dim: int,
        likelihood: Likelihood,
        code: str,
        penalty: str,
        beta: float,
        rho: float,
    ) -> None:
        super().__init__(network, spec, latent_dim, likelihood, code)
        self.kind = choice("penalty", penalty, ("kl", "l1"))
        if penalty == "kl" and code != "sigmoid":
            raise Invalid("code", f"{code} with penalty kl", "sigmoid, or penalty l1")
        self.register_buffer("beta", torch.tensor(real("beta", beta, 0)))
        self.register_buffer("rho", torch.tensor(real("rho", rho, 0, 1, strict=True)))

    def means(self, posterior: Dirac | DiagonalGaussian, seen: Tensor, label: Tensor, noise: Tensor) -> Tensor:
        """Mean activation of each unit, or its mean magnitude for l1 [d]."""
        z = posterior.mean
        return (z if self.kind == "kl" else z.abs()).mean(0)

    def penalty(self, means: Tensor) -> tuple[Tensor, Tensor]:
        sparsity = (bernoulli_kl(self.rho, means) if self.kind == "kl" else means).sum()
        return sparsity, self.beta * sparsity
