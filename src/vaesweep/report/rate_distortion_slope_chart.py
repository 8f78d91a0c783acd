"""Figure of the slope test: -dD/dR of the plane against the weights of the rate."""

import altair as alt
import numpy as np
import pandas as pd

from vaesweep.report.chart_style import (
    DARK,
    GREY,
    HEIGHT,
    numbers,
    series_scale,
)
from vaesweep.report.report_figure import ReportFigure


def slope(frame: pd.DataFrame, rows: pd.DataFrame) -> ReportFigure | None:
    """The slope between neighbouring betas, against those two betas that it should lie between.

    A negative slope has no place on a logarithmic axis: it stands at the lower edge with its value.
    """
    if len(rows) < 2:
        return None
    positive, negative = rows[rows.slope > 0], rows[rows.slope <= 0]
    low = min(rows.low.min(), positive.slope.min()) / 1.3  # the minimum of no slope is NaN, and min keeps the first
    high = max(rows.high.max(), positive.slope.max()) * 1.3
    scale = alt.Scale(type="log", domain=[low / (1.5 if len(negative) else 1), high], nice=False)
    axis = alt.Axis(values=sorted({*rows.low, *rows.high}), format="~g")
    rows = rows.assign(
        beta=np.sqrt(rows.low * rows.high),
        slope_low=(rows.slope - rows.se).clip(lower=low / 1.5),
        slope_high=rows.slope + rows.se,
        edge=low / 1.2,
        text=rows.slope.map("{:.2g}".format),
    )
    betas = alt.Scale(type="log", domain=[rows.low.min() / 1.3, rows.high.max() * 1.3], nice=False)
    x = alt.X("beta:Q", scale=betas, axis=axis, title="beta (nats of distortion per nat of rate)")
    y = alt.Y("slope:Q", scale=scale, axis=axis, title="slope -dD/dR (nats per nat)")
    colour, shape, legend = series_scale(frame.series.unique(), rows.series)
    boxes = (
        alt.Chart(rows[["low", "high"]].drop_duplicates())
        .mark_rect(opacity=0.18, color=GREY)
        .encode(alt.X("low:Q", scale=betas), alt.X2("high:Q"), alt.Y("low:Q", scale=scale), alt.Y2("high:Q"))
    )
    tip = ["series", *numbers("low", "high", "slope", "se"), "n"]
    above, below = alt.Chart(rows[rows.slope > 0]), alt.Chart(rows[rows.slope <= 0])
    edge = alt.Y("edge:Q", scale=scale)
    layers = [boxes]
    if len(positive):
        layers += [
            above.mark_rule(clip=True).encode(x, alt.Y("slope_low:Q", scale=scale), alt.Y2("slope_high:Q"), colour),
            above.mark_point(filled=True, size=70).encode(x, y, colour, shape, tooltip=tip),
        ]
    if len(negative):
        layers += [
            below.mark_point(filled=False, size=70, strokeWidth=2)
            .encode(x, edge, colour, shape, tooltip=tip)
            .properties(name="negative"),
            below.mark_text(dy=-12, color=DARK).encode(x, edge, alt.Text("text:N")),
        ]
    caption = (
        "What a nat of rate buys at the margin, between neighbouring betas. Bars are ± standard error; many are "
        "smaller than their point. At the optimum of D + beta R a point lies in its grey box, between its two betas; "
        "outside, a run was trained too short, or is stuck."
    )
    if len(negative):
        caption += " Hollow, at the lower edge: slopes that are not positive, with their values; not to scale."
    return ReportFigure("The slope test", caption, [alt.layer(*layers, height=HEIGHT)], legend, width=HEIGHT)
