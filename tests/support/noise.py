"""Noise for a model."""

import torch

from vaesweep.models import Autoencoder, Batch


def noise_for(made: Autoencoder, given: Batch, seed: int = 0) -> torch.Tensor:
    """Standard normal noise as `made` wants it for `given`."""
    source = torch.Generator().manual_seed(seed)
    return torch.randn(made.noise_shape(given), generator=source, dtype=given.image.dtype)
