"""The DCI scores: disentanglement, completeness and informativeness."""

import math
from typing import NamedTuple

import torch
from sklearn.ensemble import RandomForestClassifier
from sklearn.preprocessing import StandardScaler
from torch import Tensor

from vaesweep.metrics.check_finite_codes import check_finite
from vaesweep.metrics.factors import varying_factors

TREES = 20
LEAF = 1 / 128


class DCI(NamedTuple):
    """Scores in [0, 1], 1 at best: one factor per dimension, one dimension per factor, accuracy of prediction."""

    disentanglement: float
    completeness: float
    informativeness: float


def dci(train_codes: Tensor, train_factors: Tensor, test_codes: Tensor, test_factors: Tensor, seed: int) -> DCI:
    """DCI from a random forest per factor: `disentanglement_completeness` of its importances, and its accuracy.

    Eastwood & Williams 2018, sec. 2; but informativeness is the mean test accuracy, where theirs is an error. Codes
    [N, d], factors [N, F]; factors that do not vary in the training part are left out. Raises `ValueError` as
    `check_finite` and `varying_factors` do.

    A forest has `TREES` trees, enough for importances that hardly depend on the seed. Every split may use every
    dimension, and no leaf has less than `LEAF` of the images: otherwise splits on noise, made deep in a tree or where
    the dimensions are limited, blur the importances. For codes that are factors of 3 to 40 values plus noise of
    standard deviation 0.1, the disentanglement is 0.9 this way, and 0.4 with scikit-learn's defaults.
    """
    mask = varying_factors(train_factors)
    scaler = StandardScaler().fit(check_finite(train_codes).numpy())
    # a tree takes a dimension for constant if its range is below 1e-7, whatever the scale
    train_x, test_x = (scaler.transform(check_finite(codes).numpy()) for codes in (train_codes, test_codes))
    importances, accuracies = [], []
    for train_y, test_y in zip(train_factors[:, mask].numpy().T, test_factors[:, mask].numpy().T, strict=True):
        forest = RandomForestClassifier(TREES, max_features=None, min_samples_leaf=LEAF, random_state=seed)
        forest.fit(train_x, train_y)
        importances.append(torch.from_numpy(forest.feature_importances_))
        accuracies.append(float(forest.score(test_x, test_y)))
    disentanglement, completeness = disentanglement_completeness(torch.stack(importances, dim=1))
    return DCI(disentanglement, completeness, sum(accuracies) / len(accuracies))


def disentanglement_completeness(importance: Tensor) -> tuple[float, float]:
    """D and C from the importance R >= 0 of each dimension for each factor, [d, F] (Eastwood & Williams 2018, sec. 2).

    - D = sum_i rho_i (1 - H_F(P_i)), with P_ij = R_ij / sum_k R_ik and rho_i = sum_j R_ij / sum_ij R_ij;
    - C = 1/F sum_j (1 - H_d(Q_j)), with Q_ij = R_ij / sum_k R_kj.

    H_n is the entropy to base n. An unused dimension has no weight in D, and a factor that no dimension predicts
    counts as 0 in C. With one factor D is 1, and with one dimension C is 1, if any is used.
    """
    usage = importance.sum(1)
    weights = usage / usage.sum().clamp(min=torch.finfo(usage.dtype).tiny)
    return (weights * concentration(importance)).sum().item(), concentration(importance.T).mean().item()


def concentration(importance: Tensor) -> Tensor:
    """1 - H_n(row / its sum) of every row of `importance` [m, n]; 0 for a row of zeros, and 1 for others if n is 1."""
    total = importance.sum(1, keepdim=True)
    shares = importance / total.clamp(min=torch.finfo(total.dtype).tiny)
    entropy = torch.special.entr(shares).sum(1) / math.log(max(importance.shape[1], 2))
    return (1 - entropy).where(total[:, 0] > 0, 0)
