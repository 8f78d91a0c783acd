"""Decomposition of the rate over the aggregate posterior, each part between two bounds."""

import math
from collections.abc import Iterable
from typing import NamedTuple

import torch
from torch import Tensor

from vaesweep.models.distributions import DiagonalGaussian, standard_normal_log_prob

FEW = 10
"""Draws with fewer of which there is no regression."""


class Interval(NamedTuple):
    """A lower and an upper bound in nats per image, and the standard error of either over images and draws."""

    lower: float
    upper: float
    error: float


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
    is below 0 or above the KL.

    The KL of each image is known exactly, and so is what log q(z|x) - log p(z) has beyond it in a draw, and what the
    images drawn have beyond all. Regressed on these two, the estimates vary less, and the sums above hold for any draw.

    `posterior` of the N images, [N, d]; `z` [N, d], row n drawn from q(z|x_n). The expectation is over the rows in
    `chunks`, index tensors that say how many to hold in memory at once (rows * N floats).
    """
    least, most, least_by_dimension, most_by_dimension, above_prior, rows = (
        torch.cat(part) for part in zip(*informations(posterior, z, chunks), strict=True)
    )
    kl_of_images = posterior.kl().sum(1)
    kl = kl_of_images.mean().item()
    controls = torch.stack([above_prior - kl_of_images[rows], kl_of_images[rows] - kl])
    information = interval(least, most, controls, kl)
    marginal = Interval(kl - information.upper, kl - information.lower, information.error)
    if z.shape[1] == 1:  # one dimension correlates with no other
        return RateParts(information, marginal, Interval(0.0, 0.0, 0.0), marginal)
    return RateParts(
        mutual_information=information,
        marginal_kl=marginal,
        total_correlation=interval(least_by_dimension - most, most_by_dimension - least, controls, marginal.upper),
        dimensionwise_kl=interval(above_prior - most_by_dimension, above_prior - least_by_dimension, controls, kl),
    )


def interval(lower: Tensor, upper: Tensor, controls: Tensor, highest: float) -> Interval:
    """The interval between the means of two bounds [M], and between 0 and `highest`."""
    (low, error), (high, _) = (mean_by_regression(bound, controls) for bound in (lower, upper))
    low, high = (min(max(bound, 0.0), highest) for bound in (low, high))
    return Interval(low, max(low, high), error)


def mean_by_regression(values: Tensor, controls: Tensor) -> tuple[float, float]:
    """The mean of `values` [M] and its standard error, where the mean of each of `controls` [K, M] is known to be 0.

    The constant of a regression on the controls; with few values their mean.
    """
    count = len(values)
    if count < FEW:
        return values.mean().item(), values.std().item() / count**0.5 if count > 1 else math.inf
    centred = (controls - controls.mean(1, keepdim=True)).double()
    slopes = torch.linalg.pinv(centred @ centred.T) @ (centred @ values.double())
    rest = values.double() - slopes @ controls.double()
    return rest.mean().item(), rest.std().item() / count**0.5


def informations(posterior: DiagonalGaussian, z: Tensor, chunks: Iterable[Tensor]) -> Iterable[tuple[Tensor, ...]]:
    """For M rows of `z` log q(z|x_n) - log q(z) [M] with q(z) of all images, and of the others; the sums [M] over
    dimensions of log q(z_j|x_n) - log q(z_j), likewise; log q(z|x_n) - log p(z) [M]; and the rows.
    """
    images = len(posterior.mean)
    for rows in chunks:
        points = z[rows]
        total = points.new_zeros(len(rows), images)
        sums = points.new_zeros(2, len(rows))
        for j in range(points.shape[1]):
            # by dimension: [M, images, d] at once would not fit into memory
            log_q = DiagonalGaussian(posterior.mean[:, j], posterior.logvar[:, j]).log_prob(points[:, j, None])
            sums = sums + torch.stack(above_mean(log_q, rows))
            total = total + log_q
        own = total.gather(1, rows[:, None]).squeeze(1)
        yield *above_mean(total, rows), *sums, own - standard_normal_log_prob(points).sum(1), rows


def above_mean(log_q: Tensor, rows: Tensor) -> tuple[Tensor, Tensor]:
    """What the row's own of `log_q` [M, N] has above the log-mean of all N images, and above that of the others, [M].

    Of a single image there are no others: the second is infinite.
    """
    images = log_q.shape[1]
    own = log_q.gather(1, rows[:, None]).squeeze(1)
    if images == 1:
        return own - own, torch.full_like(own, math.inf)
    others = log_q.scatter(1, rows[:, None], -math.inf).logsumexp(1)
    return own - torch.logaddexp(others, own) + math.log(images), own - others + math.log(images - 1)
