"""The standard error of a mean over images."""

from torch import Tensor


def standard_error(values: Tensor) -> float:
    """Standard error of the mean of `values` [N], sqrt(sum_i (x_i - mean)^2 / (N - 1) / N)."""
    return (values.double().std() / len(values) ** 0.5).item()
