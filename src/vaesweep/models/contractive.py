"""The contractive autoencoder."""

import torch
from torch import Tensor

from vaesweep.model_declaration import Declaration
from vaesweep.models.autoencoder import Autoencoder
from vaesweep.models.convolutional_jacobian import known_layers, squared_norms_by_rows
from vaesweep.models.distributions import DiagonalGaussian, Dirac, Likelihood
from vaesweep.models.jacobian import dense_layers, jacobian, squared_norms, vector_jacobian_products
from vaesweep.models.networks import Encoder, Network
from vaesweep.models.types import Batch, Spec
from vaesweep.settings.check_arguments import check_float, check_int


class ContractiveAutoencoder(Autoencoder):
    """Autoencoder with loss = distortion + lam * contraction (Rifai et al. 2011, eq. 1 and sec. 3).

    contraction = mean_b ||J_b||_F^2 with J_b = dz/dx at image b, exactly: by `squared_norms` for a dense encoder, by
    `squared_norms_by_rows` for one with convolutions, by autograd row by row for any other. `lam` is the paper's
    lambda, a reserved word in Python.

    With `probes` n, training estimates it: ||J||_F^2 = E ||v^T J||^2 for v of independent fair signs, the mean of n
    draws per image (Hutchinson 1990). The variance is 2 sum_{i != j} (J J^T)_ij^2 / n per image, 0 for orthogonal
    rows; with Gaussian v it would be 2 ||J J^T||_F^2 / n. Validation and test stay exact. Raises `ConfigError`.
    """

    lam: Tensor

    def __init__(
        self,
        network: Network,
        spec: Spec,
        latent_dim: int,
        likelihood: Likelihood,
        code: str,
        lam: float,
        probes: int | None = None,
    ) -> None:
        super().__init__(network, spec, latent_dim, likelihood, code)
        self.register_buffer("lam", torch.tensor(check_float("lam", lam, 0)))
        self.probes = None if probes is None else check_int("probes", probes)

    def noise_shape(self, batch: Batch) -> tuple[int, ...]:
        return len(batch.image), (self.probes or 0) * self.latent_dim

    @property
    def declaration(self) -> Declaration:
        return Declaration(terms={"contraction": "squared norm of dz/dx"})

    def batch_means(self, posterior: Dirac | DiagonalGaussian, seen: Tensor, label: Tensor, noise: Tensor) -> Tensor:
        """The contraction [1], the mean over images."""

        def encode(image: Tensor) -> Tensor:
            return self.posterior(image, label).mean

        if self.probes and self.training:
            signs = torch.ones_like(noise).copysign(noise).unflatten(1, (self.probes, self.latent_dim))
            total = vector_jacobian_products(encode, seen, signs.transpose(0, 1)).square().sum() / self.probes
        elif layers := dense_layers(self.encoder, self.code):
            assert isinstance(self.encoder, Encoder)
            total = squared_norms(layers, self.encoder.join(seen, self.condition(label)), seen[0].numel())
        elif modules := known_layers(self.encoder, self.code):
            assert isinstance(self.encoder, Encoder)
            total = squared_norms_by_rows(modules, self.encoder.join(seen, self.condition(label)), seen.shape[1])
        else:
            total = jacobian(encode, seen).square().sum()
        return total[None] / len(seen)

    def penalties(self, means: Tensor) -> tuple[Tensor, Tensor]:
        return means, self.lam * means.sum()
