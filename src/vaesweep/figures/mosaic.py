"""Mosaics of images."""

from collections.abc import Sequence

import numpy as np
import torch
from matplotlib.axes import Axes
from torch import Tensor


def mosaic(images: Tensor, gap: int = 1) -> np.ndarray:
    """Images [R, K, C, H, W] as one picture [R (H + gap) - gap, K (W + gap) - gap, C], white between them."""
    rows, columns, channels, height, width = images.shape
    tiles = torch.ones(rows, height + gap, columns, width + gap, channels)
    tiles[:, :height, :, :width] = images.float().cpu().clamp(0, 1).permute(0, 3, 1, 4, 2)
    return tiles.reshape(rows * (height + gap), -1, channels)[: -gap or None, : -gap or None].numpy()


def show(axes: Axes, images: Tensor, rows: Sequence[str] = (), columns: Sequence[str] = ()) -> None:
    """A mosaic of [R, K, C, H, W] on `axes`, with a label for each row and column where given."""
    gap = max(1, images.shape[-1] // 28)
    picture = mosaic(images, gap)
    axes.imshow(picture.squeeze(-1) if picture.shape[-1] == 1 else picture, cmap="gray", vmin=0, vmax=1)
    height, width = images.shape[-2] + gap, images.shape[-1] + gap
    axes.set_yticks([i * height + (height - gap - 1) / 2 for i in range(len(rows))], rows)
    axes.set_xticks([i * width + (width - gap - 1) / 2 for i in range(len(columns))], columns)
    axes.tick_params(length=0)
    axes.set_anchor("S")  # or the layout, which does not know how high the images will be, cuts the text below them
    for spine in axes.spines.values():
        spine.set_visible(False)


def grid_size(rows: int, columns: int, names: Sequence[str] = ()) -> tuple[float, float]:
    """Inches for a mosaic: about 0.7 a tile, within a readable page, plus the margins of the rows' names and title."""
    tile = min(0.7, 8.5 / columns)
    longest = max(map(len, names), default=0)
    margin = max(1.5, 0.08 * longest + 0.4) if longest else 0.3
    return max(5.0, columns * tile + margin), rows * tile + 0.7
