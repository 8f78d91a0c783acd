"""The sparse autoencoder."""

import torch
from torch import Tensor

from vaesweep.errors import ConfigError
from vaesweep.model_declaration import Declaration
from vaesweep.models.autoencoder import Autoencoder
from vaesweep.models.distributions import DiagonalGaussian, Dirac, Likelihood, bernoulli_kl
from vaesweep.models.networks import Network
from vaesweep.models.types import Spec
from vaesweep.settings.check_arguments import check_choice, check_float


class SparseAutoencoder(Autoencoder):
    """Autoencoder with loss = distortion + beta * sparsity; the code may be wider than the data (Ng 2011, sec. 3).

    `penalty` `kl`: sum_j KL(rho || rho_hat_j), rho_hat_j the mean of sigmoid unit j over the whole batch;
    `l1`: mean over the batch of sum_j |z_j|, which leaves rho unused.
    """

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
        self.penalty = check_choice("penalty", penalty, ("kl", "l1"))
        if penalty == "kl" and code != "sigmoid":
            raise ConfigError("code", f"{code} with penalty kl", "sigmoid, or penalty l1")
        self.register_buffer("beta", torch.tensor(check_float("beta", beta, 0)))
        self.register_buffer("rho", torch.tensor(check_float("rho", rho, 0, 1, strict=True)))

    @property
    def declaration(self) -> Declaration:
        return Declaration(terms={"sparsity": "nats" if self.penalty == "kl" else "sum of |z|"}, sparse=True)

    def batch_means(self, posterior: Dirac | DiagonalGaussian, seen: Tensor, label: Tensor, noise: Tensor) -> Tensor:
        """Mean activation of each unit, or its mean magnitude for l1 [d]."""
        return self.activation(posterior.mean)

    def penalties(self, means: Tensor) -> tuple[Tensor, Tensor]:
        sparsity = (bernoulli_kl(self.rho, means) if self.penalty == "kl" else means).sum()
        return sparsity[None], self.beta * sparsity

    def activation(self, z: Tensor) -> Tensor:
        return (z if self.penalty == "kl" else z.abs()).mean(0)

    @property
    def activation_target(self) -> float | None:
        return self.rho.item() if self.penalty == "kl" else None
