"""Figure of the rate-distortion plane."""

from typing import Any

import altair as alt
import numpy as np
import pandas as pd

from vaesweep.report.beta_range_curves import marks, mean_curves
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
from vaesweep.report.pareto_front import pareto
from vaesweep.report.report_figure import ReportFigure


def plane(frame: pd.DataFrame, means: pd.DataFrame, curve_rows: pd.DataFrame | None = None) -> ReportFigure | None:
    """The rate-distortion plane: runs as points, means over seeds with their standard error on lines over beta.

    `curve_rows` are the curves of runs that were trained for a range of betas (`beta_range_curves.curves`).
    """
    runs = frame[frame.status == "completed"].dropna(subset=["rate", "distortion"])
    means = means.dropna(subset=["rate", "distortion"])
    if runs.empty:
        return None
    whole = mean_curves(pd.DataFrame() if curve_rows is None else curve_rows)
    shown = pd.concat([part[["rate", "distortion"]] for part in (runs, whole) if len(part)])
    (left, right), y_range = padded_limits(shown.rate, minimum=0.0), padded_limits(shown.distortion)
    x_range = left, right + 0.1 * (right - left)  # labels stand on the right of their points
    rate, distortion = alt.Scale(domain=x_range, nice=False), alt.Scale(domain=y_range, nice=False)
    x = alt.X("rate:Q", title=f"rate R = KL ({NATS})", scale=rate)
    y = alt.Y("distortion:Q", title=f"distortion D ({NATS})", scale=distortion)
    colour, shape, legend = series_scale(frame.series.unique(), means.series)
    bars = means.assign(
        rate_low=means.rate - means.rate_se, rate_high=means.rate + means.rate_se,
        d_low=means.distortion - means.distortion_se, d_high=means.distortion + means.distortion_se,
    )  # fmt: skip
    points = (
        alt.Chart(runs, name="runs")
        .mark_point(filled=True, size=45, opacity=0.5)
        .encode(x, y, colour, shape, tooltip=["run", "setting", "seed", *numbers("rate", "distortion", "nelbo", "mse")])
    )
    lines = (
        alt.Chart(means.dropna(subset=["beta"]))
        .mark_line(strokeWidth=1.8)
        .encode(x, y, colour, order="beta:Q", detail="series:N")
    )
    # the same axes again: an encoding without a scale would stretch its axis to zero
    x_low, y_low = alt.X("rate_low:Q", scale=rate, title=""), alt.Y("d_low:Q", scale=distortion, title="")
    bar = alt.Chart(bars).mark_rule(strokeWidth=1.5, clip=True, color="black")
    widths, heights = bar.encode(x_low, alt.X2("rate_high:Q"), y), bar.encode(x, y_low, alt.Y2("d_high:Q"))
    # the betas of a curve stand along it
    has_label = (means.setting != means.series) & ~means.series.isin(whole.series)
    ladder_means = means[has_label].dropna(subset=["beta"])
    labels = alt.Chart(ladder_means.assign(text=[f"β {beta:g}" for beta in ladder_means.beta])).encode(x, y)
    betas = haloed(labels, "betas", DARK, align="left", dx=9, dy=-9)
    front = pareto(means)
    rings = (
        alt.Chart(front, name="front")
        .mark_point(filled=False, size=220, strokeWidth=1.5, color="black", shape="circle")
        .encode(x, y)
    )
    behind = [*equal_nelbo(x, y, x_range, y_range), *[rings] * (len(front) > 0)]
    behind += [lines, *(curve_layers(whole, x, y, colour) if len(whole) else [])]
    layers = [*behind, points, widths, heights, *betas]  # the bars are on top: runs that agree would hide them
    chart = alt.layer(*layers, height=HEIGHT)
    return ReportFigure("The rate-distortion plane", plane_caption(means, front, len(whole) > 0), [chart], legend)


def curve_layers(curves: pd.DataFrame, x: alt.X, y: alt.Y, colour: alt.Color) -> list[alt.Chart]:
    """The curves as lines, with a tick and a label at some betas."""
    marked = marks(curves)
    labels = alt.Chart(marked.assign(text=[f"{beta:g}" for beta in marked.beta])).encode(x, y)
    return [
        alt.Chart(curves, name="whole_curve")
        .mark_line(strokeWidth=1.8, clip=True)
        .encode(x, y, colour, order="beta:Q", detail="series:N"),
        alt.Chart(marked, name="strokes")
        .mark_point(shape="stroke", angle=45, size=90, strokeWidth=1.8)
        .encode(x, y, colour),
        *haloed(labels, "curve_betas", GREY, align="right", dx=-7, dy=9),
    ]


def plane_caption(means: pd.DataFrame, front: pd.DataFrame, has_curve: bool) -> str:
    """What the plane shows: only what is there."""
    sentences = [
        "Down is a better reconstruction, left is a cheaper code: a model below and to the left of another beats it.",
        "Coloured points are runs. Black: means over seeds ± standard error, whose bars may be smaller than a dot."
        if (means.n > 1).any()
        else "Points are runs. Black bars are ± standard error over the test images.",
        "Lines join the betas of a model." if means[means.beta.notna()].series.duplicated().any() else "",
        "A line with small ticks is a model that was trained for all betas at once, a mean over its runs; the grey "
        "numbers are betas."
        if has_curve
        else "",
        "Ringed: no comparable setting has both a lower rate and a lower distortion (the Pareto front)."
        if len(front)
        else "",
        "Along a dashed line the total D + R (nelbo) is the same.",
    ]
    return " ".join(filter(None, sentences))


def equal_nelbo(
    x: alt.X, y: alt.Y, x_range: tuple[float, float], y_range: tuple[float, float]
) -> list[alt.Chart | alt.LayerChart]:
    """Lines D + R = const through the box, each with its total at its lower end; a line too short for it is left
    out.

    A falling convex curve leaves these ends free.
    """
    (left, right), (low, high) = x_range, y_range
    step = nice_step((right + high - left - low) / 8)
    rows, labels = [], []
    for total in np.arange(np.ceil((left + low) / step), (right + high) / step) * step:
        place = min(right, total - low - 0.02 * (high - low))  # higher than the end where that is on the lower edge
        if place - left > 0.25 * (right - left) and total - right < high:
            ends = max(left, total - high), min(right, total - low)
            rows += [{"total": total, "rate": rate, "distortion": total - rate} for rate in ends]
            labels += [{"text": f"nelbo {total:g}", "rate": place, "distortion": total - place}]
    lines = (
        alt.Chart(pd.DataFrame(rows, columns=["total", "rate", "distortion"]), name="equal")
        .mark_line(color="#A8A8A8", strokeWidth=1, strokeDash=[5, 4])
        .encode(x, y, detail="total:N")
    )
    totals = alt.Chart(pd.DataFrame(labels, columns=["text", "rate", "distortion"])).encode(x, y)
    return [lines, *haloed(totals, "totals", GREY, align="right", dx=-4)]


def haloed(labels: alt.Chart, name: str, color: str, **place: Any) -> list[alt.Chart]:
    """The column `text` in a colour over a white rim, so that a line behind it does not cross the letters."""
    rim = labels.mark_text(color="white", stroke="white", strokeWidth=4, **place)
    letters = labels.mark_text(color=color, **place).properties(name=name)
    return [mark.encode(alt.Text("text:N")) for mark in (rim, letters)]
