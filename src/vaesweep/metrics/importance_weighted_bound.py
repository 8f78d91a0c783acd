"""The importance-weighted bound on the log-likelihood."""

import math
from collections.abc import Callable, Iterable, Sequence

import torch
from torch import Generator, Tensor

from vaesweep.models import Autoencoder
from vaesweep.models.contract import Batch
from vaesweep.models.distributions import DiagonalGaussian

FLOATS = 2_000_000
"""Most numbers in the decoded images of one chunk of samples: 8 MB, which a cache may hold."""


def bounds(
    model: Autoencoder,
    batch: Batch,
    k: int,
    source: Generator,
    track: Callable[[Sequence[int]], Iterable[int]] = iter,
) -> tuple[Tensor, Tensor]:
    """L_1 and L_k [B] each, nats: the ELBO and the importance-weighted bound on log p(x), from the same k samples.

    L_k = log 1/k sum_i p(x|z_i) p(z_i) / q(z_i|x), z_i drawn from q(z|x) (Burda et al. 2016, eq. 8); L_1 is the mean of
    the k log weights. Samples are drawn from `source` in chunks, whose sizes pass through `track`.
    """
    posterior = model.posterior(*batch)
    assert isinstance(posterior, DiagonalGaussian)
    size = max(1, min(k, FLOATS // batch.image.numel()))
    parts, total = [], torch.zeros_like(posterior.mean[:, 0])
    for samples in track([min(size, k - start) for start in range(0, k, size)]):
        noise = torch.randn((samples, *posterior.mean.shape), generator=source, device=posterior.mean.device)
        weights = log_weights(model, batch, posterior, noise)
        parts.append(weights.logsumexp(0))
        total += weights.sum(0)
    return total / k, log_mean_exp(parts, k)


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
