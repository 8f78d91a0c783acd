"""Charts of the rate-distortion plane and of its slope."""

import altair as alt
import numpy as np
import pandas as pd

from vaesweep.report.chart_style import GREY, HEIGHT, NATS, WIDTH, nice_step, numbers, padded_limits, series_scale
from vaesweep.report.tables import pareto


def plane(frame: pd.DataFrame, means: pd.DataFrame) -> alt.TopLevelMixin | None:
    """The rate-distortion plane: runs as points, means over seeds with their standard deviation on lines over beta."""
    runs = frame[(frame.status == "completed") & frame.rate.notna()]
    means = means.dropna(subset=["rate"])
    if runs.empty:
        return None
    x_range, y_range = padded_limits(runs.rate, minimum=0.0), padded_limits(runs.distortion)
    rate, distortion = alt.Scale(domain=x_range, nice=False), alt.Scale(domain=y_range, nice=False)
    x = alt.X("rate:Q", title=f"rate R = KL ({NATS})", scale=rate)
    y = alt.Y("distortion:Q", title=f"distortion D ({NATS})", scale=distortion)
    colour, shape = series_scale(frame.series.unique(), means.series)
    bars = means.assign(
        rate_low=means.rate - means.rate_sd, rate_high=means.rate + means.rate_sd,
        d_low=means.distortion - means.distortion_sd, d_high=means.distortion + means.distortion_sd,
    )  # fmt: skip
    points = (
        alt.Chart(runs, name="runs")
        .mark_point(filled=True, size=55, opacity=0.75)
        .encode(x, y, colour, shape, tooltip=["run", "setting", "seed", *numbers("rate", "distortion", "nelbo", "mse")])
    )
    lines = alt.Chart(means).mark_line(strokeWidth=1.8).encode(x, y, colour, order="rate:Q", detail="series:N")
    # the same axes again: an encoding without a scale would stretch its axis to zero
    x_low, y_low = alt.X("rate_low:Q", scale=rate, title=""), alt.Y("d_low:Q", scale=distortion, title="")
    widths = alt.Chart(bars).mark_rule(strokeWidth=1.2).encode(x_low, alt.X2("rate_high:Q"), y, colour)
    heights = alt.Chart(bars).mark_rule(strokeWidth=1.2).encode(x, y_low, alt.Y2("d_high:Q"), colour)
    labelled_means = means[means.setting != means.series]
    labels = alt.Chart(labelled_means.assign(text=[f"β {beta:g}" for beta in labelled_means.beta]))
    betas = labels.mark_text(align="left", dx=8, dy=-8, fontSize=13).encode(x, y, alt.Text("text:N"), colour)
    front = (
        alt.Chart(pareto(means))
        .mark_point(filled=False, size=220, strokeWidth=1.5, color="black", shape="circle")
        .encode(x, y)
    )
    title = alt.TitleParams(
        "What reconstruction costs in KL",
        subtitle="points: runs; lines: means over seeds ± standard deviation; ringed: Pareto front; "
        "grey: equal nelbo (D + R)",
    )
    layers = [*iso_nelbo(x, y, x_range, y_range), front, lines, widths, heights, points, betas]
    return alt.layer(*layers, title=title, width=WIDTH, height=HEIGHT)


def iso_nelbo(x: alt.X, y: alt.Y, x_range: tuple[float, float], y_range: tuple[float, float]) -> list[alt.Chart]:
    """Lines D + R = const through the box, each labelled at its end at the top or on the left."""
    (left, right), (low, high) = x_range, y_range
    step = nice_step((right + high - left - low) / 8)
    rows = []
    for total in np.arange(np.ceil((left + low) / step), (right + high) / step) * step:
        start = max(left, total - high), min(right, total - low)
        rows += [{"total": total, "rate": rate, "distortion": total - rate} for rate in start if start[0] < start[1]]
    lines = pd.DataFrame(rows)
    ends = lines.groupby("total").first().reset_index().assign(text=lambda f: f.total.map("{:g}".format))
    line_layer = alt.Chart(lines).mark_line(color="#D0D0D0", strokeWidth=1).encode(x, y, detail="total:N")
    label_layer = (
        alt.Chart(ends).mark_text(color=GREY, fontSize=13, align="left", dx=4, dy=9).encode(x, y, alt.Text("text:N"))
    )
    return [line_layer, label_layer]


def slope(frame: pd.DataFrame, rows: pd.DataFrame) -> alt.TopLevelMixin | None:
    """The slope between neighbouring betas, against those two betas that it should lie between."""
    if rows.empty:
        return None
    rows = rows.assign(
        beta=np.sqrt(rows.low * rows.high), slope_low=rows.slope - rows.sd, slope_high=rows.slope + rows.sd
    )
    ends = float(min(rows.low.min(), rows.slope[rows.slope > 0].min())), float(max(rows.high.max(), rows.slope.max()))
    log = alt.Scale(type="log", domain=[ends[0] / 1.3, ends[1] * 1.3], nice=False)
    x = alt.X("beta:Q", scale=log, title="beta (nats of distortion a nat of rate)")
    y = alt.Y("slope:Q", scale=log, title="-dD/dR")
    colour, shape = series_scale(frame.series.unique(), rows.series)
    boxes = (
        alt.Chart(rows[["low", "high"]].drop_duplicates())
        .mark_rect(opacity=0.18, color=GREY)
        .encode(alt.X("low:Q", scale=log), alt.X2("high:Q"), alt.Y("low:Q", scale=log), alt.Y2("high:Q"))
    )
    bars = (
        alt.Chart(rows[rows.slope_low > 0]).mark_rule().encode(x, alt.Y("slope_low:Q"), alt.Y2("slope_high:Q"), colour)
    )
    tip = ["series", *numbers("low", "high", "slope", "sd"), "n"]
    points = alt.Chart(rows[rows.slope > 0]).mark_point(filled=True, size=70).encode(x, y, colour, shape, tooltip=tip)
    title = alt.TitleParams(
        "Is the trade-off optimal? The slope of the plane against beta",
        subtitle="at the optimum of D + beta R each slope lies in its grey box, between its two betas",
    )
    return alt.layer(boxes, bars, points, title=title, width=HEIGHT, height=HEIGHT)
