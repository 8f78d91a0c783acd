"""Figures of the rate-distortion plane and of its slope."""

import altair as alt
import numpy as np
import pandas as pd

from vaesweep.report.chart_style import (
    DARK,
    GREY,
    HEIGHT,
    NATS,
    nice_step,
    numbers,
    padded_limits,
    series_scale,
)
from vaesweep.report.ranking import pareto
from vaesweep.report.report_figure import ReportFigure


def plane(frame: pd.DataFrame, means: pd.DataFrame) -> ReportFigure | None:
    """The rate-distortion plane: runs as points, means over seeds with their standard deviation on lines over beta."""
    runs = frame[frame.status == "completed"].dropna(subset=["rate", "distortion"])
    means = means.dropna(subset=["rate", "distortion"])
    if runs.empty:
        return None
    (left, right), y_range = padded_limits(runs.rate, minimum=0.0), padded_limits(runs.distortion)
    x_range = left, right + 0.1 * (right - left)  # labels stand on the right of their points
    rate, distortion = alt.Scale(domain=x_range, nice=False), alt.Scale(domain=y_range, nice=False)
    x = alt.X("rate:Q", title=f"rate R = KL ({NATS})", scale=rate)
    y = alt.Y("distortion:Q", title=f"distortion D ({NATS})", scale=distortion)
    colour, shape, legend = series_scale(frame.series.unique(), means.series)
    bars = means.assign(
        rate_low=means.rate - means.rate_sd, rate_high=means.rate + means.rate_sd,
        d_low=means.distortion - means.distortion_sd, d_high=means.distortion + means.distortion_sd,
    )  # fmt: skip
    points = (
        alt.Chart(runs, name="runs")
        .mark_point(filled=True, size=55, opacity=0.75)
        .encode(x, y, colour, shape, tooltip=["run", "setting", "seed", *numbers("rate", "distortion", "nelbo", "mse")])
    )
    lines = alt.Chart(means).mark_line(strokeWidth=1.8).encode(x, y, colour, order="beta:Q", detail="series:N")
    # the same axes again: an encoding without a scale would stretch its axis to zero
    x_low, y_low = alt.X("rate_low:Q", scale=rate, title=""), alt.Y("d_low:Q", scale=distortion, title="")
    widths = alt.Chart(bars).mark_rule(strokeWidth=1.2, clip=True).encode(x_low, alt.X2("rate_high:Q"), y, colour)
    heights = alt.Chart(bars).mark_rule(strokeWidth=1.2, clip=True).encode(x, y_low, alt.Y2("d_high:Q"), colour)
    ladder_means = means[means.setting != means.series]
    labels = alt.Chart(ladder_means.assign(text=[f"β {beta:g}" for beta in ladder_means.beta]))
    betas = labels.mark_text(align="left", dx=8, dy=-9, color=DARK).encode(x, y, alt.Text("text:N"))
    front = pareto(means)
    rings = (
        alt.Chart(front, name="front")
        .mark_point(filled=False, size=220, strokeWidth=1.5, color="black", shape="circle")
        .encode(x, y)
    )
    layers = [*equal_nelbo(x, y, x_range, y_range), *[rings] * (len(front) > 0), lines, widths, heights, points, betas]
    chart = alt.layer(*layers, height=HEIGHT)
    return ReportFigure("The rate-distortion plane", plane_caption(means, front), [chart], legend)


def plane_caption(means: pd.DataFrame, front: pd.DataFrame) -> str:
    """What the plane shows: only what is there."""
    sentences = [
        "Down is a better reconstruction, left is a cheaper code: a model below and to the left of another beats it.",
        "Points are runs, crosses are means over seeds ± standard deviation." if (means.n > 1).any() else "",
        "Lines join the betas of a model." if means.series.duplicated().any() else "",
        "A ring: no setting that compares with it has both a lower rate and a lower distortion (the Pareto front)."
        if len(front)
        else "",
        "Along a grey line the total D + R (nelbo) is the same.",
    ]
    return " ".join(filter(None, sentences))


def equal_nelbo(
    x: alt.X, y: alt.Y, x_range: tuple[float, float], y_range: tuple[float, float]
) -> list[alt.Chart | alt.LayerChart]:
    """Lines D + R = const through the box; the label at a line's upper end is left out where it would leave the box."""
    (left, right), (low, high) = x_range, y_range
    step = nice_step((right + high - left - low) / 8)
    rows = []
    for total in np.arange(np.ceil((left + low) / step), (right + high) / step) * step:
        start = max(left, total - high), min(right, total - low)
        rows += [{"total": total, "rate": rate, "distortion": total - rate} for rate in start if start[0] < start[1]]
    lines = pd.DataFrame(rows, columns=["total", "rate", "distortion"])
    ends = lines.groupby("total").first().reset_index().assign(text=lambda f: f.total.map("{:g}".format))
    ends = ends[(right - ends.rate > 0.18 * (right - left)) & (ends.distortion - low > 0.08 * (high - low))]
    line_layer = alt.Chart(lines).mark_line(color="#D0D0D0", strokeWidth=1).encode(x, y, detail="total:N")
    label_layer = (
        alt.Chart(ends, name="totals").mark_text(color=GREY, align="left", dx=4, dy=9).encode(x, y, alt.Text("text:N"))
    )
    return [line_layer, label_layer]


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
        slope_low=(rows.slope - rows.sd).clip(lower=low / 1.5),
        slope_high=rows.slope + rows.sd,
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
    tip = ["series", *numbers("low", "high", "slope", "sd"), "n"]
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
        "What a nat of rate buys at the margin, between neighbouring betas, mean over seeds ± standard deviation. At "
        "the optimum of D + beta R it lies in its grey box, between its two betas; outside, a run was trained too "
        "short, or is stuck."
    )
    if len(negative):
        caption += " Hollow, at the lower edge: slopes that are not positive, with their values; not to scale."
    return ReportFigure("The slope test", caption, [alt.layer(*layers, height=HEIGHT)], legend, width=HEIGHT)
