"""Images laid out in rows and columns, as one image."""

import numpy as np
import torch
from torch import Tensor


def image_grid(images: Tensor, gap: int = 1) -> np.ndarray:
    """Images [R, K, C, H, W] as one [R (H + gap) - gap, K (W + gap) - gap, C] in [0, 1], white between them."""
    rows, columns, channels, height, width = images.shape
    tiles = torch.ones(rows, height + gap, columns, width + gap, channels)
    tiles[:, :height, :, :width] = images.float().cpu().clamp(0, 1).permute(0, 3, 1, 4, 2)
    return tiles.reshape(rows * (height + gap), -1, channels)[: -gap or None, : -gap or None].numpy()
