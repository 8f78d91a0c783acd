"""The mutual information gap."""

import torch
from torch import Tensor

from vaesweep.metrics.factors import varying_factors
from vaesweep.metrics.mutual_information import entropy, mutual_information
from vaesweep.metrics.top_two_gap import top_two_gap


def mig(codes: Tensor, factors: Tensor, bins: int = 20) -> float:
    """MIG 1/F sum_k (I(z_j*; v_k) - max_{j != j*} I(z_j; v_k)) / H(v_k), j* the most informative dimension, in [0, 1].

    Chen et al. 2018, eq. 6, with I as `mutual_information` estimates it. `codes` [N, d], `factors` [N, F]. A factor
    with more values than bins cannot reach 1. Raises `ValueError` as `check_finite` and `varying_factors` do.
    """
    factors = factors[:, varying_factors(factors)]
    entropies = torch.stack([entropy(column.unique(return_counts=True)[1]) for column in factors.unbind(1)])
    return (top_two_gap(mutual_information(codes, factors, bins)) / entropies).mean().item()
