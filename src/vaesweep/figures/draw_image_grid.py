"""Grids of images: images in rows and columns on the axes of a figure."""

from collections.abc import Sequence

from matplotlib.axes import Axes
from torch import Tensor

from vaesweep.data.image_grid import image_grid


def show(axes: Axes, images: Tensor, rows: Sequence[str] = (), columns: Sequence[str] = ()) -> None:
    """A mosaic of [R, K, C, H, W] on `axes`, with a label for each row and column where given."""
    gap = max(1, images.shape[-1] // 28)
    picture = image_grid(images, gap)
    axes.imshow(picture.squeeze(-1) if picture.shape[-1] == 1 else picture, cmap="gray", vmin=0, vmax=1)
    height, width = images.shape[-2] + gap, images.shape[-1] + gap
    axes.set_yticks([i * height + (height - gap - 1) / 2 for i in range(len(rows))], rows)
    axes.set_xticks([i * width + (width - gap - 1) / 2 for i in range(len(columns))], columns)
    axes.tick_params(length=0)
    axes.set_anchor("S")  # or the layout, which does not know how high the images will be, cuts the text below them
    for spine in axes.spines.values():
        spine.set_visible(False)


def grid_size(images: Tensor, names: Sequence[str] = ()) -> tuple[float, float]:
    """Inches for a mosaic of [R, K, C, H, W], plus the margins of the rows' names and title.

    About 0.7 for the longer side of a tile, within a readable page, and enough for a number below a column and a name
    beside a row.
    """
    rows, columns, _, height, width = images.shape
    tile = min(0.7, 8.5 / columns) / max(height, width)
    tile = max(tile, min(0.35, 8.5 / columns) / width, min(0.2 / height, 11 / columns / width) if names else 0.0)
    longest = max(map(len, names), default=0)
    margin = max(1.5, 0.08 * longest + 0.4) if longest else 0.3
    return max(5.0, columns * tile * width + margin), rows * tile * height + 0.7
