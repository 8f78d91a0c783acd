"""Corruptions of an image, by standard normal noise."""

from torch import Tensor
from torch.special import ndtri

from vaesweep.settings.check_arguments import check_float

CORRUPTIONS = ("masking", "gaussian", "salt_pepper")


def corrupt_image(image: Tensor, noise: Tensor, corruption: str, level: Tensor) -> Tensor:
    """`image` corrupted by standard normal `noise` of its shape.

    `masking` sets each pixel to 0 with probability `level`, `salt_pepper` to 0 or 1 by a fair coin, `gaussian` adds
    N(0, level^2). One normal draw serves every kind: P(noise < Phi^-1(p)) = p.
    """
    if corruption == "gaussian":
        return image + level * noise
    if corruption == "masking":
        return image.masked_fill(noise < ndtri(level), 0)
    edge = ndtri(level / 2)
    return image.masked_fill(noise < edge, 0).masked_fill(noise > -edge, 1)


def check_level(corruption: str, level: object, key: str = "level") -> float:
    """`level` as a float: at least 0, and at most 1 where it is a probability. Raises `ConfigError`."""
    return check_float(key, level, 0, float("inf") if corruption == "gaussian" else 1.0)
