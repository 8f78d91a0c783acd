"""Shared parts of charts: colours for colour-blind readers too, limits and ticks."""

from collections.abc import Iterable, Sequence

import altair as alt
import numpy as np
import pandas as pd

# Okabe & Ito, without its yellow
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
SHAPES = ("circle", "square", "triangle-up", "diamond", "cross", "triangle-down", "triangle-right")
GREY = "#767676"
WIDTH, HEIGHT = 620, 420
NATS = "nats per image"
alt.data_transformers.disable_max_rows()


def series_scale(names: Sequence[str], series: Iterable[str], field: str = "series") -> tuple[alt.Color, alt.Shape]:
    """A colour and a shape for each of the report's series, the same in every chart; a legend for `series`."""
    indices = range(len(names))
    colours = alt.Scale(domain=list(names), range=[COLOURS[i % len(COLOURS)] for i in indices])
    shapes = alt.Scale(domain=list(names), range=[SHAPES[i % len(SHAPES)] for i in indices])
    entries = list(dict.fromkeys(series))
    legend = alt.Legend(title=None, labelLimit=400, orient="bottom", columns=3, values=entries) if entries[1:] else None
    return alt.Color(f"{field}:N", scale=colours, legend=legend), alt.Shape(f"{field}:N", scale=shapes, legend=legend)


def padded_limits(values: pd.Series, minimum: float = -np.inf) -> tuple[float, float]:
    """Limits around values, with room for labels."""
    low, high = float(values.min()), float(values.max())
    margin = 0.08 * (high - low) or 0.08 * abs(high) or 1.0
    return max(minimum, low - margin), high + margin


def nice_step(size: float) -> float:
    """The next of 1, 2, 5 times a power of ten."""
    power = 10.0 ** np.floor(np.log10(size))
    return float(next(power * m for m in (1, 2, 5, 10) if power * m >= size))


def numbers(*names: str) -> list[alt.Tooltip]:
    """Tooltips with four significant digits."""
    return [alt.Tooltip(f"{name}:Q", format=".4g") for name in names]
