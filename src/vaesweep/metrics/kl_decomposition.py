"""Decomposition of the rate over the aggregate posterior."""

import math
from collections.abc import Iterable
from typing import NamedTuple

import torch
from torch import Tensor

from vaesweep.models.distributions import DiagonalGaussian, standard_normal_log_prob


class RateParts(NamedTuple):
    """Nats per image: KL = mutual information + marginal KL, and that is total correlation + dimension-wise KL."""

    mutual_information: float
    marginal_kl: float
    total_correlation: float
    dimensionwise_kl: float


def rate_parts(posterior: DiagonalGaussian, z: Tensor, chunks: Iterable[Tensor]) -> RateParts:
    """The mean KL(q(z|x) || p(z)) of N images in parts, with q(z) = 1/N sum_n q(z|x_n) and p(z) = N(0, I).

    - mutual information E[log q(z|x_n) - log q(z)], between z and which of the N images it is from, so at most log N;
    - marginal KL KL(q(z) || p(z)) (both: Hoffman & Johnson 2016, eq. 4 and 5), which is the sum of
    - total correlation KL(q(z) || prod_j q(z_j)) and
    - dimension-wise KL sum_j KL(q(z_j) || p(z_j)) (Chen et al. 2018, eq. 2).

    `posterior` of the N images, [N, d]; `z` [N, d], row n drawn from q(z|x_n). q(z) is summed over all N images,
    without the bias of a minibatch; the expectation is over the rows in `chunks`, index tensors that say how many to
    hold in memory at once (rows * N floats).
    """
    own, joint, marginals, prior = (torch.cat(part) for part in zip(*densities(posterior, z, chunks), strict=True))
    return RateParts(
        mutual_information=(own - joint).mean().item(),
        marginal_kl=(joint - prior.sum(1)).mean().item(),
        total_correlation=(joint - marginals.sum(1)).mean().item(),
        dimensionwise_kl=(marginals - prior).sum(1).mean().item(),
    )


def densities(
    posterior: DiagonalGaussian, z: Tensor, chunks: Iterable[Tensor]
) -> Iterable[tuple[Tensor, Tensor, Tensor, Tensor]]:
    """For rows of `z`: log q(z|x_n) of its own image [M], log q(z) [M], log q(z_j) [M, d], log p(z_j) [M, d]."""
    images = len(posterior.mean)
    for rows in chunks:
        points = z[rows]
        total = points.new_zeros(len(rows), images)
        marginals = []
        for j in range(points.shape[1]):
            # by dimension: [M, images, d] at once would not fit into memory
            log_q = DiagonalGaussian(posterior.mean[:, j], posterior.logvar[:, j]).log_prob(points[:, j, None])
            marginals.append(log_q.logsumexp(1))
            total = total + log_q
        own = total.gather(1, rows[:, None]).squeeze(1)
        product = torch.stack(marginals, dim=1) - math.log(images)
        yield own, total.logsumexp(1) - math.log(images), product, standard_normal_log_prob(points)
