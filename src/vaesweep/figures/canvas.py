"""Shared parts of figures: colours, mosaics of images, canvases."""

from collections.abc import Sequence

import numpy as np
import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.text import Annotation
from torch import Tensor

BLUE, ORANGE, GREY = "#0072B2", "#D55E00", "#8A8A8A"
SMALL = 8
"""Points of the smallest text."""
# Paul Tol's muted and vibrant schemes, the colours that are dark enough for text on white
CLASSES = ("#332288", "#0077BB", "#009988", "#117733", "#999933", "#EE7733", "#CC3311", "#882255", "#AA4499", "#777777")


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


def canvas(width: float, height: float, title: str) -> tuple[Figure, Axes]:
    """An empty figure in inches, titled. Its layout is the one that suits images, whose aspect is fixed."""
    figure = Figure(figsize=(width, height), layout="compressed")
    figure.suptitle(title, fontsize=11)
    return figure, figure.add_subplot()


def add_caption(figure: Figure, caption: str) -> Figure:
    """The same figure, made higher by a small line below its title that says which run it shows."""
    if caption:
        # the layout leaves room for the empty line
        title = figure.suptitle(f"{figure.get_suptitle()}\n", fontsize=11)
        line = Annotation(caption, (0.5, 0), xycoords=title, ha="center", va="bottom", fontsize=SMALL, color="#555555")
        figure.add_artist(line)
        figure.set_figheight(figure.get_figheight() + 0.2)
    return figure


def grid_size(rows: int, columns: int, names: Sequence[str] = ()) -> tuple[float, float]:
    """Inches for a mosaic: about 0.7 a tile, within a readable page, plus the margins of the rows' names and title."""
    tile = min(0.7, 8.5 / columns)
    longest = max(map(len, names), default=0)
    margin = max(1.5, 0.08 * longest + 0.4) if longest else 0.3
    return max(5.0, columns * tile + margin), rows * tile + 0.7
