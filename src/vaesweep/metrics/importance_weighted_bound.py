"""The importance-weighted bound on the log-likelihood."""

import math

import torch
from torch import Tensor

from vaesweep.models import Autoencoder
from vaesweep.models.contract import Batch
from vaesweep.models.distributions import DiagonalGaussian


def log_weights(model: Autoencoder, batch: Batch, posterior: DiagonalGaussian, noise: Tensor) -> Tensor:
    """log w = log p(x|z) + log p(z) - log q(z|x) in nats, [S, B], at z = mean + sigma * noise, `noise` [S, B, d].

    Kingma & Welling 2014, appendix D; Burda et al. 2016, eq. 7. Densities keep their constants.
    """
    z = posterior.sample(noise)
    samples = len(noise)
    eta = model.decode(z.flatten(0, 1), batch.label.repeat(samples, 1))
    image = batch.image.expand(samples, *batch.image.shape).flatten(0, 1)
    # log p(z) - log q(z|x): what the two normal densities share cancels
    prior_over_posterior = (noise.square() - z.square() + posterior.logvar).sum(-1) / 2
    return prior_over_posterior - model.likelihood.nll(eta, image).unflatten(0, (samples, len(batch.image)))


def log_mean_exp(parts: list[Tensor], k: int) -> Tensor:
    """log 1/k sum_i w_i [B] from `parts`, each the log of a sum over some of the k weights [B].

    With the logs of k importance weights it is the bound L_k <= log p(x), which tightens as k grows (Burda et al. 2016,
    eq. 8 and theorem 1).
    """
    return torch.stack(parts).logsumexp(0) - math.log(k)


def bits_per_dim(nats: float, dimensions: int) -> float:
    """Nats per image as bits per dimension (pixel and channel): nats / (dimensions ln 2)."""
    return nats / (dimensions * math.log(2))
