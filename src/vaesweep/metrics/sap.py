"""The SAP disentanglement score: separated attribute predictability."""

import numpy as np
import torch
from sklearn.metrics import recall_score
from sklearn.preprocessing import StandardScaler
from sklearn.svm import LinearSVC
from sklearn.tree import DecisionTreeClassifier
from torch import Tensor

from vaesweep.metrics.check_finite_codes import check_finite
from vaesweep.metrics.factors import varying_factors
from vaesweep.metrics.top_two_gap import top_two_gap


def sap(train_codes: Tensor, train_factors: Tensor, test_codes: Tensor, test_factors: Tensor, seed: int) -> float:
    """SAP 1/F sum_k (S_j*k - max_{j != j*} S_jk), j* the best predictor of factor k (Kumar et al. 2018, sec. 3).

    S is from `predictability`. If each factor is a dimension, and they are independent, S is 1 for that dimension
    and about 1/values for the second best, so the score is 1 - 1/F sum_k 1/values_k, not 1. Codes [N, d], factors
    [N, F]; factors that do not vary in the training part are left out. Raises `ValueError` as
    `check_finite` and `varying_factors` do.
    """
    mask = varying_factors(train_factors)
    scores = predictability(train_codes, train_factors[:, mask], test_codes, test_factors[:, mask], seed)
    return top_two_gap(scores).mean().item()


def predictability(
    train_codes: Tensor, train_factors: Tensor, test_codes: Tensor, test_factors: Tensor, seed: int
) -> Tensor:
    """Balanced test accuracy S_jk of factor k from dimension j alone, [d, F]; 0 for a constant dimension, as in Kumar.

    As there for a categorical factor, the classifier is a set of thresholds on z_j, fitted for balanced classes: a
    decision tree with one leaf per value of the factor. One-vs-rest linear classifiers (`sap_linear_svc`) cannot
    separate a value between two others: for a dimension that equals a factor of 40 values they get 5 % right, the
    trees 100 %.
    """
    scaler = StandardScaler().fit(check_finite(train_codes).numpy())
    # a tree takes a dimension for constant if its range is below 1e-7, whatever the scale
    train_x, test_x = (scaler.transform(check_finite(codes).numpy()) for codes in (train_codes, test_codes))
    scores = torch.zeros(train_x.shape[1], train_factors.shape[1], dtype=torch.float64)
    for k, (train_y, test_y) in enumerate(zip(train_factors.numpy().T, test_factors.numpy().T, strict=True)):
        leaves, test_values = len(np.unique(train_y)), np.unique(test_y)
        for j in np.flatnonzero(np.ptp(train_x, axis=0)):
            tree = DecisionTreeClassifier(max_leaf_nodes=leaves, class_weight="balanced", random_state=seed)
            predictions = tree.fit(train_x[:, [j]], train_y).predict(test_x[:, [j]])
            scores[j, k] = recall_score(test_y, predictions, labels=test_values, average="macro")
    return scores


def sap_linear_svc(train_codes: Tensor, train_factors: Tensor, test_codes: Tensor, test_factors: Tensor) -> float:
    """SAP as Locatello et al. 2019 computed it (appendix C), to compare with published numbers.

    S_jk is the test accuracy of one-vs-rest linear classifiers on z_j alone, LinearSVC with C = 0.01 and balanced
    classes. They cannot pick a value that lies between two others, so a perfect code scores far below 1. Arguments and
    errors as `sap`.
    """
    mask = varying_factors(train_factors)
    train_x, test_x = check_finite(train_codes).numpy(), check_finite(test_codes).numpy()
    train_y, test_y = train_factors[:, mask].numpy(), test_factors[:, mask].numpy()
    scores = torch.zeros(train_x.shape[1], train_y.shape[1], dtype=torch.float64)
    for j in range(train_x.shape[1]):
        for k in range(train_y.shape[1]):
            classifier = LinearSVC(C=0.01, class_weight="balanced", random_state=0)
            scores[j, k] = classifier.fit(train_x[:, [j]], train_y[:, k]).score(test_x[:, [j]], test_y[:, k])
    return top_two_gap(scores).mean().item()
