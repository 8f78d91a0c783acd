"""Refuses codes that are not finite."""

from torch import Tensor


def check_finite(codes: Tensor) -> Tensor:
    """`codes` in double precision. Raises `ValueError` if any is NaN or infinite, which decision trees accept."""
    if not codes.isfinite().all():
        raise ValueError("the codes are not all finite")
    return codes.double()
