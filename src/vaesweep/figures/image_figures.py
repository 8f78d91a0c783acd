"""Figures of images: mosaics with titles and labels."""

from collections.abc import Sequence

import torch
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from torch import Tensor

from vaesweep.figures.draw_image_grid import grid_size, show
from vaesweep.figures.figure_style import ORANGE, canvas


def panel(title: str, images: Tensor, rows: Sequence[str] = (), columns: Sequence[str] = (), below: str = "") -> Figure:
    """Images [R, K, C, H, W] under a title, with a label for each row and column, and a text `below`."""
    width, height = grid_size(images, rows)
    lines = max((name.count("\n") + 1 for name in columns), default=0) + bool(below) + title.count("\n")
    width = max(width, 0.09 * max(len(line) for line in (*title.split("\n"), below)))
    figure, axes = canvas(width, height + 0.2 * lines, title)
    show(axes, images, rows=rows, columns=columns)
    axes.set_xlabel(below)
    return figure


def reconstructions(
    images: Tensor, outputs: Tensor, corrupted_images: Tensor | None = None, expectation: str = "E[x|z]"
) -> Figure:
    """Rows of originals, of the encoder's inputs if they differ, and of reconstructions; each [K, C, H, W]."""
    all_rows = {"original": images, "corrupted": corrupted_images, "reconstructed": outputs}
    rows = {name: row for name, row in all_rows.items() if row is not None}
    grid = torch.stack(list(rows.values()))
    figure, axes = canvas(*grid_size(grid, list(rows)), f"Reconstructions {expectation} of validation images")
    show(axes, grid, rows=list(rows))
    return figure


def samples(images: Tensor, rows: Sequence[str] = (), expectation: str = "E[x|z]", below: str = "") -> Figure:
    """Decoded draws from the prior [R, K, C, H, W], and a text `below`; `rows` names the condition of each row."""
    width, height = grid_size(images, rows)
    figure, axes = canvas(width, height + 0.2 * bool(below), f"{expectation} for z drawn from the prior N(0, I)")
    show(axes, images, rows=rows)
    axes.set_xlabel(below)
    return figure


def filters(weights: Tensor, units: int) -> Figure:
    """Weights [R, K, C, H, W] of some of the first layer's `units`, each scaled to its own largest magnitude.

    Grey is 0, white is positive.
    """
    peak = weights.abs().amax((2, 3, 4), keepdim=True).clamp(min=torch.finfo(weights.dtype).tiny)
    rows, columns = weights.shape[:2]
    title = f"First-layer weights: {rows * columns} of {units} units, largest norm first"
    figure, axes = canvas(*grid_size(weights), title)
    show(axes, weights / peak / 2 + 0.5)
    axes.set_xlabel("black negative, grey 0, white positive")
    return figure


def retrieved_images(queries: Tensor, images: Tensor, is_hit: Tensor | None) -> Figure:
    """Queries [R, C, H, W] and, nearest first, the images found for each [R, K, C, H, W], framed if not `is_hit`."""
    columns = images.shape[1]
    _, height = grid_size(torch.cat([queries[:, None], images], dim=1))
    figure = Figure(figsize=(max(5.0, 0.7 * columns + 1.5), height + 0.2), layout="compressed")
    figure.suptitle("Training images whose codes are nearest", fontsize=11)
    left, axes = figure.subplots(1, 2, width_ratios=[1, columns])
    show(left, queries[:, None])
    left.set_title("query", fontsize=10)
    show(axes, images)
    axes.set_title("nearest first" + ("" if is_hit is None else ", framed where the class differs"), fontsize=10)
    for panel_axes in (left, axes):
        panel_axes.set_xticks([])
        panel_axes.set_yticks([])
    gap = max(1, images.shape[-1] // 28)
    if is_hit is not None:
        for row, column in (~is_hit).nonzero().tolist():
            corner = column * (images.shape[-1] + gap) - 0.5, row * (images.shape[-2] + gap) - 0.5
            axes.add_patch(Rectangle(corner, images.shape[-1], images.shape[-2], fill=False, ec=ORANGE, lw=2))
    return figure
