"""Factors of variation of images: which of them vary, and images that share a value of one."""

import torch
from torch import Tensor


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
