"""Figures of a latent space."""

import math
from collections.abc import Sequence

import numpy as np
from matplotlib.figure import Figure
from torch import Tensor

from vaesweep.figures.canvas import BLUE, CLASSES, GREY, ORANGE, canvas, grid_size, show


def latent_grid(images: Tensor, quantiles: Tensor, dims: tuple[int, int] = (0, 1)) -> Figure:
    """Decoded plane [K, K, C, H, W] of latent dimensions `dims` at the prior's `quantiles` [K]; the second upwards."""
    title = "E[x|z] over the latent plane, at equal steps of prior probability"
    figure, axes = canvas(7, 7.2, title)
    ticks = [f"{q:.1f}" for q in quantiles.tolist()]
    tick_labels = [t if i % 5 == 0 else "" for i, t in enumerate(ticks)]
    show(axes, images.flip(0), rows=tick_labels[::-1], columns=tick_labels)
    axes.set_xlabel(f"z{dims[0] + 1} (prior standard deviations)")
    axes.set_ylabel(f"z{dims[1] + 1} (prior standard deviations)")
    return figure


def latent_scatter(codes: Tensor, classes: Tensor, dims: tuple[int, int]) -> Figure:
    """Codes [N, 2] of latent dimensions `dims`, coloured by class [N], each class named at its median."""
    figure, axes = canvas(6, 5.6, f"Where {len(codes)} validation images lie in latent space")
    x, y = codes.float().cpu().numpy().T
    labels = classes.cpu().numpy()
    names = np.unique(labels)
    if len(names) <= len(CLASSES):
        for name in names:
            color, is_class = CLASSES[name % len(CLASSES)], labels == name
            axes.scatter(x[is_class], y[is_class], s=9, color=color, alpha=0.75, linewidths=0)
            if len(names) > 1:
                box = {"boxstyle": "circle,pad=0.15", "facecolor": "white", "edgecolor": color, "alpha": 0.9}
                axes.text(np.median(x[is_class]), np.median(y[is_class]), str(name), ha="center", va="center", bbox=box)
    else:
        points = axes.scatter(x, y, s=9, c=labels, cmap="viridis", linewidths=0)
        figure.colorbar(points, label="class")
    for limits, values in ((axes.set_xlim, x), (axes.set_ylim, y)):
        if np.ptp(values) < 0.02:  # a collapsed dimension: do not magnify its rounding
            limits(np.mean(values) - 0.5, np.mean(values) + 0.5)
    axes.set_xlabel(f"posterior mean of z{dims[0] + 1}")
    axes.set_ylabel(f"posterior mean of z{dims[1] + 1}")
    axes.grid(alpha=0.25)
    return figure


def traversals(images: Tensor, values: Tensor, rows: Sequence[str]) -> Figure:
    """Decoded images [R, K, C, H, W]: in each row one latent dimension takes `values` [R, K], the others are fixed."""
    figure, axes = canvas(*grid_size(*images.shape[:2]), "Traversals of the most active latent dimensions")
    is_shared = bool((values == values[:1]).all())
    show(axes, images, rows=rows, columns=[f"{v:.1f}" for v in values[0].tolist()] if is_shared else ())
    axes.set_xlabel("value of z" if is_shared else "from the 1 % to the 99 % quantile of the codes")
    return figure


def posterior(mean: Tensor, sigma: Tensor, kl: Tensor) -> Figure:
    """Per dimension, sorted by KL: KL in nats; spread of the posterior means [N, d] and mean width `sigma` [N, d]."""
    order = kl.argsort(descending=True)
    means, widths, nats = (t[..., order].float().cpu().numpy() for t in (mean, sigma, kl))
    d, positions = len(nats), np.arange(len(nats))
    figure = Figure(figsize=(max(5.5, 0.28 * d + 2), 5.6), layout="constrained")
    top, bottom = figure.subplots(2, 1, sharex=True)
    top.bar(positions, nats, color=BLUE)
    top.set_ylabel("KL (nats)")
    top.set_title(f"Posterior by latent dimension: {nats.sum():.1f} nats in all", fontsize=11)
    low, middle, high = np.quantile(means, [0.05, 0.5, 0.95], axis=0)
    intervals = np.stack([middle - low, high - middle])
    bottom.errorbar(
        positions, middle, intervals, fmt="o", ms=4, color=BLUE, label="posterior mean: median and 5 to 95 % of images"
    )
    bottom.plot(positions, widths.mean(0), "D", ms=5, color=ORANGE, label="posterior width: mean sigma")
    bottom.axhline(1, color=GREY, ls=":", lw=1, label="prior sigma")
    bottom.set_ylabel("z")
    bottom.set_xticks(positions, [f"z{i + 1}" for i in order.tolist()], rotation=90 if d > 12 else 0)
    bottom.set_xlabel("latent dimension, most informative first")
    figure.legend(loc="outside lower center", fontsize=8, frameon=False, ncols=3 if d > 20 else 1)
    for axes in (top, bottom):
        axes.grid(axis="y", alpha=0.25)
    return figure


def aggregate(z: Tensor, dims: Sequence[int]) -> Figure:
    """Draws `z` [N, d] of the aggregate posterior against the prior N(0, 1), for each of `dims`."""
    columns = min(4, len(dims))
    rows = math.ceil(len(dims) / columns)
    figure = Figure(figsize=(2.4 * columns + 0.6, 1.9 * rows + 0.9), layout="constrained")
    figure.suptitle("Aggregate posterior against the prior, most informative dimensions first", fontsize=11)
    grid = figure.subplots(rows, columns, squeeze=False, sharex=True, sharey=True)
    x = np.linspace(-4, 4, 200)
    for axes in grid.flat[len(dims) :]:
        axes.axis("off")
    for axes, dim in zip(grid.flat, dims, strict=False):
        axes.hist(
            z[:, dim].float().cpu().numpy(), np.linspace(-4, 4, 41), density=True, color=BLUE, alpha=0.55, label="q(z)"
        )
        axes.plot(x, np.exp(-(x**2) / 2) / math.sqrt(2 * math.pi), color=ORANGE, ls="--", lw=1.6, label="prior N(0, 1)")
        axes.set_title(f"z{dim + 1}", fontsize=9)
    figure.supxlabel("z", fontsize=10)
    figure.supylabel("density", fontsize=10)
    figure.legend(*grid[0, 0].get_legend_handles_labels(), loc="outside lower center", ncols=2, frameon=False)
    return figure


def field(start: Tensor, step: Tensor, error: Tensor, codes: Tensor) -> Figure:
    """Arrows `step` [S, S, 2] on a grid of codes `start`, over the pixels' rms `error` [S, S]; images at `codes`."""
    figure, axes = canvas(7, 6, "Where reconstruction moves an image, in code space")
    x, y = start.float().cpu().numpy().transpose(2, 0, 1)
    u, v = step.float().cpu().numpy().transpose(2, 0, 1)
    shade = axes.pcolormesh(x, y, error.float().cpu().numpy(), cmap="Blues", shading="nearest", vmin=0)
    figure.colorbar(shade, label="rms change of a pixel")
    axes.plot(*codes.float().cpu().numpy().T, ".", ms=2, color=GREY, alpha=0.6)
    axes.quiver(x, y, u, v, color=ORANGE, angles="xy", scale_units="xy", scale=1, width=0.004)
    axes.set_xlabel("z1")
    axes.set_ylabel("z2")
    axes.set_xlim(x.min(), x.max())
    axes.set_ylim(y.min(), y.max())
    return figure
