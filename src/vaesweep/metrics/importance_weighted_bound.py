"""The importance-weighted bound on the log-likelihood."""

import math
from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple

import torch
from torch import Generator, Tensor

from vaesweep.models import Autoencoder
from vaesweep.models.distributions import DiagonalGaussian
from vaesweep.models.types import Batch

FLOATS = 2_000_000
"""Most numbers in the decoded images of one chunk of samples: 8 MB, which a cache may hold."""


class Bounds(NamedTuple):
    """Bounds on log p(x) of each image [B], nats, from the same k importance weights w of that image.

    `elbo` is L_1, the mean of log w. `bound` is L_k = log 1/k sum w (Burda et al. 2016, eq. 8), and `half` the mean of
    the two L_k/2 of its halves: as the gap to log p(x) falls like 1/k, `bound` - `half` is about what is left of it
    (Burda et al. 2016, theorem 1; Domke & Sheldon 2018, theorem 3). `spread` is what the two halves say about the
    standard deviation of `bound` over repeats: half their distance, as the variance falls like 1/k too; up to 30 % too
    small where few weights are most of the sum. `effective` is the effective sample size (sum w)^2 / sum w^2, from 1
    to k (Kong 1992).
    """

    elbo: Tensor
    bound: Tensor
    half: Tensor
    spread: Tensor
    effective: Tensor


def bounds(
    model: Autoencoder,
    batch: Batch,
    k: int,
    source: Generator,
    track: Callable[[Sequence[int]], Iterable[int]] = iter,
) -> Bounds:
    """The bounds for a batch, from `k` samples z of q(z|x), drawn from `source`.

    They are drawn in chunks, whose sizes pass through `track`. With k = 1 there are no halves: `half` is -inf and
    `spread` infinite.
    """
    posterior = model.posterior(*batch)
    assert isinstance(posterior, DiagonalGaussian)
    size = max(1, FLOATS // batch.image.numel())
    halves = [k - k // 2, k // 2]
    chunks = [(i, min(size, half - start)) for i, half in enumerate(halves) for start in range(0, half, size)]
    total = torch.zeros_like(posterior.mean[:, 0])
    sums = torch.full((2, len(total)), -math.inf, dtype=total.dtype, device=total.device)
    squares = sums.clone()
    for (i, _), samples in zip(chunks, track([samples for _, samples in chunks]), strict=True):
        noise = torch.randn((samples, *posterior.mean.shape), generator=source, device=total.device)
        weights = log_weights(model, batch, posterior, noise)
        total += weights.sum(0)
        sums[i] = sums[i].logaddexp(weights.logsumexp(0))
        squares[i] = squares[i].logaddexp((2 * weights).logsumexp(0))
    log_sum = sums.logsumexp(0)
    first, second = sums - sums.new_tensor(halves).log()[:, None] if k > 1 else (sums[0], sums[1])
    effective = (2 * log_sum - squares.logsumexp(0)).exp()
    return Bounds(total / k, log_sum - math.log(k), (first + second) / 2, (first - second).abs() / 2, effective)


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


def bits_per_dim(nats: float, dimensions: int) -> float:
    """Nats per image as bits per dimension (pixel and channel): nats / (dimensions ln 2)."""
    return nats / (dimensions * math.log(2))
