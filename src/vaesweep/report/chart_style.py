"""Shared parts of charts: colours for colour-blind readers too, sizes of type, limits and ticks."""

import textwrap
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

import altair as alt
import matplotlib
import numpy as np
import pandas as pd
from matplotlib.colors import to_hex

# Okabe & Ito, without its yellow
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
GLYPHS = {
    "circle": "●",
    "square": "■",
    "triangle-up": "▲",
    "diamond": "◆",
    "cross": "✚",
    "triangle-down": "▼",
    "triangle-right": "▶\ufe0e",
}
"""Shapes of points, and the character that stands for each in a legend."""
SHAPES = tuple(GLYPHS)
GREY, DARK = "#767676", "#333333"
WIDTH, HEIGHT = 620, 420
PANEL = 320
"""Width of one of several charts in a figure."""
NATS = "nats per image"
TYPE_SIZE = 13
"""Smallest type in a chart, in pixels."""
CONFIG: dict[str, Any] = {
    "axis": {
        "labelFontSize": TYPE_SIZE, "titleFontSize": TYPE_SIZE, "labelFlush": False, "labelSeparation": 8,
        "labelOverlap": True,
    },
    "legend": {
        "labelFontSize": TYPE_SIZE, "titleFontSize": TYPE_SIZE, "orient": "bottom", "columns": 3, "labelLimit": 400,
        "symbolLimit": 0,
    },
    "text": {"fontSize": TYPE_SIZE},
    "title": {"fontSize": 14, "subtitleFontSize": TYPE_SIZE, "anchor": "start"},
}  # fmt: skip
alt.data_transformers.disable_max_rows()


class LegendEntry(NamedTuple):
    """A series in a legend: its name, and its colour and character there."""

    name: str
    colour: str
    glyph: str


def series_scale(
    names: Sequence[str], present: Iterable[str], field: str = "series"
) -> tuple[alt.Color, alt.Shape, list[LegendEntry]]:
    """A colour and a shape for each of the report's series, the same in every chart, and the legend of those present.

    Up to 49 series differ in colour or shape. One series alone needs no legend.
    """
    present = set(present)
    styles = {
        name: (COLOURS[i % len(COLOURS)], SHAPES[(i + i // len(COLOURS)) % len(SHAPES)])
        for i, name in enumerate(names)
        if name in present
    }
    colours, shapes = ([style[i] for style in styles.values()] for i in (0, 1))
    legend = alt.Undefined if len(styles) > 1 else None
    colour = alt.Color(f"{field}:N", scale=alt.Scale(domain=list(styles), range=colours), title=None, legend=legend)
    shape = alt.Shape(f"{field}:N", scale=alt.Scale(domain=list(styles), range=shapes), title=None, legend=legend)
    entries = [LegendEntry(name, colour, GLYPHS[shape]) for name, (colour, shape) in styles.items()]
    return colour, shape, entries if len(entries) > 1 else []


def beta_scale(betas: Iterable[float]) -> tuple[alt.Color, list[LegendEntry]]:
    """A colour for each beta of a ladder, from dark to light, and their legend."""
    levels = sorted({beta for beta in betas if beta == beta})  # a run may have none
    shades = matplotlib.colormaps["plasma"](np.linspace(0, 0.85, len(levels)))  # lighter is hard to see on white
    colours = [to_hex(shade) for shade in shades]
    scale = alt.Scale(domain=levels, range=colours)
    entries = [
        LegendEntry(f"beta {beta:g}", colour, GLYPHS["circle"]) for beta, colour in zip(levels, colours, strict=True)
    ]
    return alt.Color("beta:O", scale=scale, title="beta"), entries


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


def panel_title(text: str) -> alt.TitleParams:
    """The title of one of several charts, in lines that a telephone is wide enough for."""
    return alt.TitleParams(textwrap.wrap(text, 40), fontWeight="normal", fontSize=TYPE_SIZE, limit=280)
