"""Mutual information between codes and factors, from counts in bins."""

import torch
from torch import Tensor

from vaesweep.metrics.check_finite_codes import check_finite


def mutual_information(codes: Tensor, factors: Tensor, bins: int) -> Tensor:
    """I(z_j; v_k) = H(z_j) + H(v_k) - H(z_j, v_k) in nats, [d, F], from `codes` [N, d] and `factors` [N, F].

    Each z_j is a posterior mean, put into one of `bins` equally wide bins between its extremes (Locatello et al.
    2019). The plug-in estimate from N images is too high by about (bins - 1) (values - 1) / 2N.
    """
    index = bin_codes(check_finite(codes), bins)
    dims = index.shape[1]
    cell = index + bins * torch.arange(dims)
    information = []
    for column in factors.unbind(1):
        values, value = column.unique(return_inverse=True)
        shape = dims, bins, len(values)
        joint = (
            (cell * len(values) + value[:, None]).flatten().bincount(minlength=dims * bins * len(values)).view(shape)
        )
        information.append(entropy(joint.sum(2)) + entropy(joint.sum(1)) - entropy(joint.flatten(1)))
    return torch.stack(information, dim=1).clamp(min=0)


def bin_codes(codes: Tensor, bins: int) -> Tensor:
    """Which of `bins` equally wide bins each code is in, [N, d]; a constant dimension is all in the first."""
    low, high = codes.aminmax(dim=0)
    width = (high - low).where(high > low, 1)
    # the largest code belongs to the last bin, not to one of its own
    return ((codes - low) / width * bins).long().clamp(max=bins - 1)


def entropy(counts: Tensor) -> Tensor:
    """-sum p log p in nats over the last dimension of `counts`."""
    counts = counts.double()
    return torch.special.entr(counts / counts.sum(-1, keepdim=True)).sum(-1)
