"""Figures of numbers: curves, histograms, bars."""

import math
from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, MaxNLocator, NullFormatter
from torch import Tensor

from vaesweep.figures.figure_style import BLUE, GREY, ORANGE, SMALL, canvas

DECADES = 1e5
"""How much smaller than the largest value the smallest one shown on a logarithmic axis is."""
STYLES = ((BLUE, "-", "o"), (ORANGE, "--", "s"), (GREY, ":", "D"))


def lines(title: str, x: tuple[str, Sequence[float]], y: str, series: Mapping[str, Sequence[float]]) -> Figure:
    """Up to three series over the same `x`, (label, values); infinite values are left out."""
    figure, axes = canvas(6, 4, title)
    for (name, values), (color, dash, marker) in zip(series.items(), STYLES, strict=False):
        heights = [value if math.isfinite(value) else math.nan for value in values]
        axes.plot(x[1], heights, color=color, ls=dash, marker=marker, ms=5, label=name)
    axes.set_xlabel(x[0])
    axes.set_ylabel(y)
    axes.grid(alpha=0.25)
    if len(series) > 1:
        axes.legend(frameon=False)
    return figure


def histograms(title: str, panels: Mapping[str, Mapping[str, Tensor]]) -> Figure:
    """Histograms of up to three groups of images [N] by score: one panel per score, named by its axis label."""
    figure = Figure(figsize=(max(5.5, 4.6 * len(panels)), 3.8), layout="constrained")
    figure.suptitle(title, fontsize=11)
    for axes, (label, groups) in zip(figure.subplots(1, len(panels), squeeze=False)[0], panels.items(), strict=True):
        values = {name: group.float().cpu().numpy() for name, group in groups.items()}
        all_values = np.concatenate(list(values.values()))
        edges = np.histogram_bin_edges(np.clip(all_values, *np.quantile(all_values, [0, 0.995])), bins=40)
        for (name, group), (color, dash, _) in zip(values.items(), STYLES, strict=False):
            share = np.full(len(group), 1 / max(1, len(group)))
            axes.hist(
                np.minimum(group, edges[-1]), edges, weights=share, histtype="step", color=color, ls=dash, lw=1.8,
                label=f"{name} ({len(group)})",
            )  # fmt: skip
        axes.set_xlabel(label)
        axes.set_ylabel("share of images")
        axes.legend(frameon=False, fontsize=8)
        axes.grid(alpha=0.25)
    return figure


def intervals(title: str, parts: Mapping[str, tuple[float, float]], unit: str) -> Figure:
    """A bar a part, dark up to its lower bound and light up to its upper bound, which are written beside it."""
    figure, axes = canvas(7, 2.2, title)
    for row, (lower, upper) in enumerate(parts.values()):
        axes.barh(row, upper, color=BLUE, alpha=0.25, height=0.6)
        axes.barh(row, lower, color=BLUE, height=0.6)
        text = f"{lower:.2f}" if f"{lower:.2f}" == f"{upper:.2f}" else f"{lower:.2f} to {upper:.2f}"
        axes.annotate(text, (upper, row), (4, 0), textcoords="offset points", va="center", fontsize=SMALL)
    axes.set_yticks(range(len(parts)), list(parts))
    axes.invert_yaxis()
    axes.set_xlim(
        0, max(0.1, 1.2 * max(upper for _, upper in parts.values()))
    )  # a collapsed posterior is not magnified
    axes.set_xlabel(f"{unit}; dark: lower bound, light: upper bound")
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
    return figure


def spectrum(title: str, singular: Tensor) -> Figure:
    """Singular values [N, R] of N Jacobians by rank: their mean, and where 90 % of the images lie."""
    values = singular.float().cpu().numpy()
    mean = values.mean(0)
    ranks = np.arange(1, values.shape[1] + 1)
    figure, axes = canvas(6, 4, title)
    low, high = np.quantile(values, [0.05, 0.95], axis=0)
    axes.fill_between(ranks, low, high, color=BLUE, alpha=0.2, linewidth=0, label="5 to 95 % of images")
    axes.plot(ranks, mean, color=BLUE, marker="o", ms=4, label="mean over images")
    if values.max() > 0:
        axes.set_yscale("log")
        top = 1.5 * max(high.max(), mean.max())
        # what is 0 but for rounding is not shown
        axes.set_ylim(max(low.min() / 1.5, top / DECADES), top)
        is_narrow = top < 1000 * axes.get_ylim()[0]
        axes.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5) if is_narrow else (1,)))
        axes.yaxis.set_major_formatter("{x:g}")
        axes.yaxis.set_minor_formatter(NullFormatter())
    axes.set_xlabel("rank")
    axes.set_ylabel("singular value of dz/dx (|dz| per |dx|)")
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.grid(alpha=0.25)
    axes.legend(frameon=False)
    return figure


def activations(mean: Tensor, target: float | None) -> Figure:
    """Histogram of the units' mean activations [d], and their target."""
    figure, axes = canvas(6, 3.6, f"Mean activation of {len(mean)} units")
    axes.hist(mean.float().cpu().numpy(), bins=30, color=BLUE)
    if target is not None:
        axes.axvline(target, color=ORANGE, ls="--", label=f"rho = {target:g}")
        axes.legend(frameon=False)
    left, right = axes.get_xlim()
    axes.set_xlim(min(0.0, left), max(0.01, right))  # units that are all alike are not magnified
    axes.yaxis.set_major_locator(MaxNLocator(integer=True))
    axes.set_xlabel("mean activation rho_hat on the test split")
    axes.set_ylabel("units")
    axes.grid(axis="y", alpha=0.25)
    return figure
