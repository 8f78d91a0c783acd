"""Decomposition of the rate over the aggregate posterior, each part between two bounds."""

import math
from collections.abc import Iterable
from typing import NamedTuple

import torch
from torch import Tensor

from vaesweep.models.distributions import DiagonalGaussian, standard_normal_log_prob


class Interval(NamedTuple):
    """A lower and an upper bound in nats per image."""

    lower: float
    upper: float


class RateParts(NamedTuple):
    """Nats per image: KL = mutual information + marginal KL, and that is total correlation + dimension-wise KL."""

    mutual_information: Interval
    marginal_kl: Interval
    total_correlation: Interval
    dimensionwise_kl: Interval


def rate_parts(posterior: DiagonalGaussian, z: Tensor, chunks: Iterable[Tensor]) -> RateParts:
    """The mean KL(q(z|x) || p(z)) in parts, with q(z) = E_p(x) q(z|x) of all images like the N given, p(z) = N(0, I).

    - mutual information E[log q(z|x) - log q(z)];
    - marginal KL KL(q(z) || p(z)) (both: Hoffman & Johnson 2016, eq. 4 and 5), which is the sum of
    - total correlation KL(q(z) || prod_j q(z_j)) and
    - dimension-wise KL sum_j KL(q(z_j) || p(z_j)) (Chen et al. 2018, eq. 2).

    N images bound the expectation of log q(z) at a z drawn from q(z|x_n) on both sides (Poole et al. 2019, sec. 2.3
    and 2.4): from above by their mean density, log 1/N sum_m q(z|x_m), which makes the mutual information at most log N
    (InfoNCE); from below by that of the other images, log 1/(N-1) sum_{m != n} q(z|x_m) (leave one out). The same holds
    for each q(z_j). Where images do not overlap the bounds are far apart: N images do not tell the parts apart. No part
    is below 0, and the mutual information is no more than the KL.

    `posterior` of the N images, [N, d]; `z` [N, d], row n drawn from q(z|x_n). The expectation is over the rows in
    `chunks`, index tensors that say how many to hold in memory at once (rows * N floats).
    """
    own, joint, joint_others, marginals, marginals_others, prior = (
        torch.cat(part) for part in zip(*densities(posterior, z, chunks), strict=True)
    )
    kl = (own - prior.sum(1)).mean().item()
    dimensions = [(bound - prior).mean(0).clamp(min=0).sum().item() for bound in (marginals_others, marginals)]
    return RateParts(
        mutual_information=interval((own - joint).mean(), (own - joint_others).mean(), kl),
        marginal_kl=interval((joint_others - prior.sum(1)).mean(), (joint - prior.sum(1)).mean(), kl),
        total_correlation=interval(
            (joint_others - marginals.sum(1)).mean(), (joint - marginals_others.sum(1)).mean(), kl
        ),
        dimensionwise_kl=Interval(*dimensions),
    )


def interval(lower: Tensor, upper: Tensor, most: float) -> Interval:
    """The interval between two bounds, and between 0 and `most`."""
    low, high = (min(max(bound.item(), 0.0), most) for bound in (lower, upper))
    return Interval(low, max(low, high))


def densities(posterior: DiagonalGaussian, z: Tensor, chunks: Iterable[Tensor]) -> Iterable[tuple[Tensor, ...]]:
    """For M rows of `z`: log q(z|x_n) of its own image [M]; log q(z) [M] from all images and from the others; log
    q(z_j) [M, d] from all and from the others; log p(z_j) [M, d].
    """
    images = len(posterior.mean)
    for rows in chunks:
        points = z[rows]
        total = points.new_zeros(len(rows), images)
        marginals = []
        for j in range(points.shape[1]):
            # by dimension: [M, images, d] at once would not fit into memory
            log_q = DiagonalGaussian(posterior.mean[:, j], posterior.logvar[:, j]).log_prob(points[:, j, None])
            marginals.append(log_means(log_q, rows))
            total = total + log_q
        own = total.gather(1, rows[:, None]).squeeze(1)
        by_dimension = (torch.stack(parts, dim=1) for parts in zip(*marginals, strict=True))
        yield own, *log_means(total, rows), *by_dimension, standard_normal_log_prob(points)


def log_means(log_q: Tensor, rows: Tensor) -> tuple[Tensor, Tensor]:
    """Logarithm of the mean of exp(`log_q`) [M, N] over all N images, and over those but the row's own, [M] each.

    Of a single image there are no others: the second is the first.
    """
    images = log_q.shape[1]
    own = log_q.gather(1, rows[:, None]).squeeze(1)
    if images == 1:
        return own, own
    others = log_q.scatter(1, rows[:, None], -math.inf).logsumexp(1)
    return torch.logaddexp(others, own) - math.log(images), others - math.log(images - 1)
