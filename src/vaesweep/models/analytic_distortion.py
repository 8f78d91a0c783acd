"""The distortion of a VAE with an affine decoder and a Gaussian likelihood: its expectation in closed form."""

from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from vaesweep.models.distributions import DiagonalGaussian, Gaussian

if TYPE_CHECKING:
    from vaesweep.models.autoencoder import Autoencoder

AFFINE = (nn.Linear, nn.Flatten, nn.Unflatten, nn.Identity)
"""Modules that compute affine functions of their input."""


def is_affine(module: nn.Module) -> bool:
    """Whether all that `module` is made of is in `AFFINE`."""
    return all(isinstance(part, AFFINE) for part in module.modules() if not list(part.children()))


def expected_nll(model: "Autoencoder", posterior: DiagonalGaussian, image: Tensor, label: Tensor) -> Tensor:
    """-E_q[log p(x|z)] of each image [B], nats, where the decoder is the affine function W z + b.

    E|x - W z - b|^2 = |x - W mean - b|^2 + sum_j sigma_j^2 |W_j|^2, W_j a column of W.
    """
    assert isinstance(model.likelihood, Gaussian)
    zero = posterior.mean.new_zeros(1, model.latent_dim)
    unit = torch.eye(model.latent_dim, dtype=zero.dtype, device=zero.device)
    bias, columns = model.decode(torch.cat([zero, unit]), label[:1].expand(model.latent_dim + 1, -1)).split(
        [1, model.latent_dim]
    )
    lengths = (columns - bias).square().flatten(1).sum(1)
    spread = posterior.sigma.square() @ lengths * (-2 * model.likelihood.log_sigma).exp() / 2
    return model.likelihood.nll(model.decode(posterior.mean, label), image) + spread
