"""Figures of a latent space."""

import math
from collections.abc import Sequence

import numpy as np
from matplotlib.figure import Figure
from matplotlib.patches import Patch
from torch import Tensor

from vaesweep.figures.draw_image_grid import grid_size, show
from vaesweep.figures.figure_style import BLUE, CLASSES, GREY, ORANGE, SMALL, canvas
from vaesweep.metrics.latent_activity import THRESHOLD

GLYPHS = 500
"""Codes that a scatter by class shows: more digits than these cover each other."""
LABELLED = 20
SHOWN = 100
"""Latent dimensions up to which each bar carries its number."""


def latent_manifold(
    images: Tensor, quantiles: Tensor, dims: tuple[int, int] = (0, 1), expectation: str = "E[x|z]", fixed: str = ""
) -> Figure:
    """Decoded plane [K, K, C, H, W] of latent dimensions `dims` at the prior's `quantiles` [K]; the second upwards.

    `fixed` says what the other dimensions and the label are held at.
    """
    title = f"{expectation} over the latent plane, at equal steps of prior probability"
    figure, axes = canvas(7, 7.2 + 0.2 * bool(fixed), f"{title}\n{fixed}" if fixed else title)
    ticks = symmetric_ticks(len(quantiles))
    labels = [f"{q:.1f}" if i in ticks else "" for i, q in enumerate((quantiles + 0.0).tolist())]
    show(axes, images.flip(0), rows=labels[::-1], columns=labels)
    axes.set_xlabel(f"z{dims[0]} (prior standard deviations)")
    axes.set_ylabel(f"z{dims[1]} (prior standard deviations)")
    return figure


def symmetric_ticks(count: int) -> set[int]:
    """Some of `count` positions, about one in four: both ends, and pairs as far from one as from the other."""
    ticks = 2 * max(1, count // 8) + count % 2
    left = np.linspace(0, count - 1, ticks)[: (ticks + 1) // 2].round().astype(int).tolist()
    return {position for i in left for position in (i, count - 1 - i)}


def latent_scatter(
    codes: Tensor, classes: Tensor, dims: tuple[int, int], is_point: bool = False, names: Sequence[str] = ()
) -> Figure:
    """Codes [N, d] by class [N] in the plane of dimensions `dims`, and of two principal components if d > 2.

    With at most ten classes, the first `GLYPHS` codes are drawn as the digit of their class; otherwise all are dots.
    Codes are posterior means unless `is_point`. `names` of the classes, each with its number, stand in a legend.
    """
    values, labels = codes.cpu().double().numpy(), classes.cpu().numpy()
    is_plane = values.shape[1] == 2
    has_classes = np.ptp(labels) > 0
    are_glyphs = has_classes and labels.max() < len(CLASSES)
    shown = slice(GLYPHS if are_glyphs else None)
    figure = Figure(figsize=(6, 5.9) if is_plane else (11, 5.7), layout="constrained")
    count = f"{len(labels[shown])} of {len(labels)}" if len(labels[shown]) < len(labels) else str(len(labels))
    what = ", each drawn as its class" if are_glyphs else ""
    figure.suptitle(f"Where {count} validation images lie in latent space{what}", fontsize=11)
    planes = [(values[:, dims], [f"{'code' if is_point else 'posterior mean of'} z{i}" for i in dims])]
    if not is_plane:
        scores, shares = principal_plane(values)
        components = [
            f"principal component {i + 1} ({100 * share:.0f} % of the variance)" for i, share in enumerate(shares)
        ]
        planes.append((scores, components))
    all_axes = figure.subplots(1, len(planes), squeeze=False)[0]
    for axes, (points, labels_of_axes) in zip(all_axes, planes, strict=True):
        x, y = points[shown].T
        if are_glyphs:
            for number in np.unique(labels):
                glyph, own = f"${number}$", labels[shown] == number
                axes.scatter(x[own], y[own], s=45, marker=glyph, color=CLASSES[number], linewidths=0)
        elif has_classes:
            dots = axes.scatter(x, y, s=9, c=labels, cmap="viridis", linewidths=0)
        else:
            axes.scatter(x, y, s=9, color=BLUE, linewidths=0)
        # a collapsed dimension is not magnified: its scale is the prior's, or that of a point code's other axis
        least = (0.1 * max(np.ptp(x), np.ptp(y)) if is_point else 0) or 1.0
        for limits, extent in ((axes.set_xlim, x), (axes.set_ylim, y)):
            if np.ptp(extent) < least:
                middle = (extent.min() + extent.max()) / 2
                limits(middle - least / 2, middle + least / 2)
        axes.set_xlabel(labels_of_axes[0])
        axes.set_ylabel(labels_of_axes[1])
        axes.grid(alpha=0.25)
    if has_classes and not are_glyphs:
        figure.colorbar(dots, ax=all_axes.tolist(), label="class")
    if are_glyphs and names:
        patches = [Patch(color=CLASSES[number], label=names[number]) for number in np.unique(labels)]
        figure.legend(handles=patches, loc="outside lower center", fontsize=SMALL, frameon=False, ncols=5)
    return figure


def principal_plane(codes: np.ndarray) -> tuple[np.ndarray, list[float]]:
    """Codes [N, d] on their first two principal components [N, 2], and each one's share of the variance."""
    centred = codes - codes.mean(0)
    variances, components = np.linalg.eigh(centred.T @ centred / len(centred))
    shares = variances[[-1, -2]].clip(0) / max(variances.clip(0).sum(), np.finfo(float).tiny)
    return centred @ components[:, [-1, -2]], shares.tolist()


def traversals(
    images: Tensor,
    values: Tensor,
    rows: Sequence[str],
    latent_dim: int,
    expectation: str = "E[x|z]",
    fixed: str = "",
) -> Figure:
    """Decoded images [R, K, C, H, W]: in each row one of `latent_dim` dimensions takes `values` [R, K], the rest is
    `fixed`.
    """
    width, height = grid_size(images, rows)
    which = (
        "each latent dimension"
        if len(rows) == latent_dim
        else f"the {len(rows)} most informative of {latent_dim} dimensions"
    )
    title = f"{expectation} along {which}"
    figure, axes = canvas(width, height + 0.5 + 0.2 * bool(fixed), title)
    is_shared = bool((values == values[:1]).all())
    show(axes, images, rows=rows, columns=[f"{v:.3g}" for v in values[0].tolist()] if is_shared else ())
    scale = "value of z" if is_shared else "from the 1 % to the 99 % quantile of the codes"
    axes.set_xlabel(f"{scale}\n{fixed}" if fixed else scale)
    return figure


def posterior(mean: Tensor, sigma: Tensor, kl: Tensor, split: str = "validation") -> Figure:
    """Per dimension, sorted by KL: the KL in nats, the variance of the means mu, and mu and sigma on one scale.

    From posterior means [N, d], widths `sigma` [N, d] and `kl` [d] of images of `split`; inactive dimensions are grey.
    At most the first `SHOWN` dimensions are drawn.
    The code has no unit of its own: its scale is that of the prior, whose standard deviation is 1.
    """
    order = kl.argsort(descending=True)
    means, widths, nats = (t[..., order].float().cpu().numpy() for t in (mean, sigma, kl))
    count, total, active = len(nats), nats.sum(), (means.var(0) > THRESHOLD).sum()
    order, means, widths, nats = order[:SHOWN], means[:, :SHOWN], widths[:, :SHOWN], nats[:SHOWN]
    d, positions, variances = len(nats), np.arange(len(nats)), means.var(0)
    colors = [BLUE if active else GREY for active in variances > THRESHOLD]
    figure = Figure(figsize=(max(6, (0.4 if d <= LABELLED else 0.28) * d + 2), 7.6), layout="constrained")
    title = f"Posterior of {len(means)} {split} images: {total:.1f} nats in all, {active} of {count} dimensions active"
    figure.suptitle(title, fontsize=11)
    top, middle, bottom = figure.subplots(3, 1, sharex=True)
    bars = top.bar(positions, nats, color=colors)
    if d <= LABELLED:
        top.bar_label(bars, fmt="%.2f", fontsize=SMALL, padding=1)
    top.set_ylim(0, max(0.1, 1.2 * nats.max()))  # a collapsed posterior is not magnified
    top.set_ylabel("KL (nats)")
    middle.bar(positions, variances, color=colors)
    middle.axhline(THRESHOLD, color="black", ls="--", lw=1, label=f"active above a variance of {THRESHOLD:g}")
    middle.set_yscale("log")
    middle.set_ylim(THRESHOLD / 100, max(2, 2 * variances.max()))
    middle.set_ylabel("variance of mu\nover the images")
    low, median, high = np.quantile(means, [0.05, 0.5, 0.95], axis=0)
    intervals = np.stack([median - low, high - median])
    label = "posterior mean mu: median and 5 to 95 % of images"
    bottom.errorbar(positions, median, intervals, fmt="o", ms=4, color=BLUE, label=label)
    bottom.plot(positions, widths.mean(0), "D", ms=5, color=ORANGE, label="posterior sigma: mean over images")
    bottom.axhline(1, color=GREY, ls=":", lw=1, label="prior sigma")
    bottom.set_ylabel("mu and sigma\n(prior standard deviations)")
    bottom.set_xticks(positions, [f"z{i}" for i in order.tolist()], rotation=90 if d > LABELLED else 0)
    part = f": {d} of {count}" if d < count else ""
    bottom.set_xlabel(f"latent dimension (the first is z0), most informative first{part}")
    figure.legend(loc="outside lower center", fontsize=SMALL, frameon=False, ncols=4 if d > LABELLED else 2)
    bottom.margins(x=0.02)
    for axes in (top, middle, bottom):
        axes.set_axisbelow(True)
        axes.grid(axis="y", alpha=0.25)
    return figure


def aggregate(z: Tensor, dims: Sequence[int]) -> Figure:
    """Draws `z` [N, d] of the aggregate posterior against the prior N(0, 1), for each of `dims`."""
    columns = min(4, len(dims))
    rows = math.ceil(len(dims) / columns)
    figure = Figure(figsize=(max(5.5, 2.4 * columns + 0.6), 2.1 * rows + 0.9), layout="constrained")
    figure.suptitle("Aggregate posterior against the prior, most informative dimension first", fontsize=11)
    grid = figure.subplots(rows, columns, squeeze=False, sharex=True, sharey=True)
    x = np.linspace(-4, 4, 200)
    for axes in grid.flat[len(dims) :]:
        axes.axis("off")
    for axes, dim in zip(grid.flat, dims, strict=False):
        axes.hist(
            z[:, dim].float().cpu().numpy(), np.linspace(-4, 4, 41), density=True, color=BLUE, alpha=0.55, label="q(z)"
        )
        axes.plot(x, np.exp(-(x**2) / 2) / math.sqrt(2 * math.pi), color=ORANGE, ls="--", lw=1.6, label="prior N(0, 1)")
        axes.set_xlabel(f"z{dim}")
    figure.supylabel("density", fontsize=10)
    handles, labels = grid[0, 0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=2, frameon=False, fontsize=9)
    return figure


def reconstruction_field(start: Tensor, step: Tensor, error: Tensor, codes: Tensor) -> Figure:
    """Arrows `step` [S, S, 2] on a grid of codes `start`, over the pixels' rms `error` [S, S]; images at `codes`."""
    figure, axes = canvas(7, 6, "Where reconstruction moves an image, in code space")
    x, y = start.float().cpu().numpy().transpose(2, 0, 1)
    u, v = step.float().cpu().numpy().transpose(2, 0, 1)
    shade = axes.pcolormesh(x, y, error.float().cpu().numpy(), cmap="Blues", shading="nearest", vmin=0)
    figure.colorbar(shade, label="rms change of a pixel")
    axes.plot(*codes.float().cpu().numpy().T, ".", ms=2, color=GREY, alpha=0.6)
    axes.quiver(x, y, u, v, color=ORANGE, angles="xy", scale_units="xy", scale=1, width=0.004)
    axes.set_xlabel("z0")
    axes.set_ylabel("z1")
    axes.set_xlim(x.min(), x.max())
    axes.set_ylim(y.min(), y.max())
    return figure
