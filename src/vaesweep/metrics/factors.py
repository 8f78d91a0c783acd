"""What the scores of disentanglement share: checks of codes and factors, draws of images, mutual information."""

import torch
from torch import Tensor
from torch.nn.functional import pad


def gap(scores: Tensor) -> Tensor:
    """The largest of each column of `scores` [d, F], all >= 0, minus the second largest, [F]; of one row, minus 0."""
    first, second = pad(scores, (0, 0, 0, 1)).topk(2, dim=0).values
    return first - second


def check_finite(codes: Tensor) -> Tensor:
    """`codes` in double precision. Raises `ValueError` if any is NaN or infinite, which decision trees accept."""
    if not codes.isfinite().all():
        raise ValueError("the codes are not all finite")
    return codes.double()


def varying_factors(factors: Tensor) -> Tensor:
    """Which factors take more than one value, [F], from `factors` [N, F]. Raises `ValueError` if none does."""
    is_varying = (factors != factors[:1]).any(0)
    if not is_varying.any():
        raise ValueError("no factor takes more than one value in these images")
    return is_varying


def rows_that_share(factors: Tensor, factor_index: Tensor, size: int, source: torch.Generator) -> Tensor:
    """For each entry k of `factor_index` [T], `size` of the N images that share a value of factor k: rows [T, size].

    The value is that of an image drawn at random, so a rare value is rarely drawn. The images are drawn with
    replacement, so a value may have fewer than `size`. `factors` [N, F].
    """
    rows = torch.empty(len(factor_index), size, dtype=torch.long)
    for k, column in enumerate(factors.unbind(1)):
        _, value, members = column.unique(return_inverse=True, return_counts=True)
        order, start = value.argsort(stable=True), members.cumsum(0) - members
        mask = factor_index == k
        sampled_values = value[torch.randint(len(column), (int(mask.sum()),), generator=source), None]
        offset = torch.rand(len(sampled_values), size, generator=source, dtype=torch.float64) * members[sampled_values]
        rows[mask] = order[start[sampled_values] + offset.long()]
    return rows


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
