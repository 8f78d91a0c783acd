"""The distortion of a VAE with an affine decoder and a Gaussian likelihood: its expectation in closed form."""

from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from vaesweep.models.distributions import DiagonalGaussian, Gaussian
from vaesweep.models.modulated_layers import Modulated
from vaesweep.models.networks import Encoder

if TYPE_CHECKING:
    from vaesweep.models.autoencoder import Autoencoder

AFFINE = (nn.Linear, nn.Flatten, nn.Unflatten, nn.Identity)
"""Modules that compute affine functions of their input."""


def is_affine(module: nn.Module) -> bool:
    """Whether `module` is made of `AFFINE` alone, one after the other; a class of one's own may compute anything."""
    if type(module) is Encoder:
        return is_affine(module.body)
    if type(module) is Modulated:
        return is_affine(module.layers)
    return all(map(is_affine, module)) if type(module) is nn.Sequential else type(module) in AFFINE


def has_affine_decoder(model: "Autoencoder") -> bool:
    """Whether the likelihood's parameter is an affine function of the code; not told of a `decode` of one's own."""
    return is_affine(model.decoder) and type(model).decode.__module__.startswith(f"{__package__}.")


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
    # no product of matrices, which mixed precision would compute in half
    spread = (posterior.sigma.square() * lengths).sum(1) * (-2 * model.likelihood.log_sigma).exp() / 2
    return model.likelihood.nll(model.decode(posterior.mean, label), image) + spread
