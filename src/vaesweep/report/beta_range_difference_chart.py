"""Chart and table of runs that were trained for a range of betas, beside runs of one beta each."""

from collections.abc import Sequence

import altair as alt
import pandas as pd

from vaesweep.report.chart_style import DARK, GREY, HEIGHT, NATS, numbers, padded_limits, series_scale
from vaesweep.report.curves_at_equal_rate import at_equal_rate
from vaesweep.report.number_format import with_error
from vaesweep.report.read_run import Run
from vaesweep.report.report_figure import ReportFigure


def whole_curve(frame: pd.DataFrame, runs: Sequence[Run], curve_rows: pd.DataFrame) -> ReportFigure | None:
    """Distortion of the curves minus that of the runs of one beta each, at equal rate, over the rate; and the table."""
    points = at_equal_rate(frame, runs, curve_rows)
    if points.empty:
        return None
    points = points.assign(low=points.difference - points.difference_se, high=points.difference + points.difference_se)
    # where no error is known, the bar has no ends
    shown = pd.concat([points.low, points.high, points.difference, pd.Series([0.0])])
    x = alt.X(
        "rate:Q", title=f"rate R = KL ({NATS})", scale=alt.Scale(domain=padded_limits(points.rate, 0.0), nice=False)
    )
    scale = alt.Scale(domain=padded_limits(shown), nice=False)
    y = alt.Y("difference:Q", title=f"difference in distortion ({NATS})", scale=scale)
    colour, shape, legend = series_scale(frame.series.unique(), points.series)
    tip = ["setting", *numbers("beta", "rate", "distortion", "curve", "difference", "difference_se")]
    labels = alt.Chart(points.assign(text=points.beta.map("β {:g}".format)))
    bars = alt.Chart(points).mark_rule(strokeWidth=1.2, clip=True)
    layers = [
        alt.Chart(pd.DataFrame({"zero": [0.0]})).mark_rule(color=GREY).encode(alt.Y("zero:Q", scale=scale, title="")),
        bars.encode(x, alt.Y("low:Q", scale=scale, title=""), alt.Y2("high:Q"), colour),
        alt.Chart(points, name="points").mark_point(filled=True, size=60).encode(x, y, colour, shape, tooltip=tip),
        labels.mark_text(align="left", dx=8, dy=-9, color=DARK).encode(x, y, alt.Text("text:N")),
    ]
    charts, rows = [alt.layer(*layers, height=HEIGHT)], cells(points)
    return ReportFigure("One run for every beta", caption(points), charts, legend, rows=rows)


def caption(points: pd.DataFrame) -> str:
    """What the figure shows, what its errors are over, and how long training took."""
    has_one_seed = points[["runs", "curves"]].min(axis=None) == 1
    sentences = [
        "Distortion of a run that was trained for all betas, set to the rate of a run of one beta, minus that run's "
        "distortion: below zero the one run is better.",
        "Bars are ± standard error over seeds; where a model has one seed, its part is over the test images, and too "
        "large if both were tested on the same images."
        if has_one_seed
        else "Bars are ± standard error over seeds.",
        *(seconds_sentence(series, part, points) for series, part in points.groupby("series", sort=False)),
    ]
    return " ".join(sentences)


def seconds_sentence(series: str, part: pd.DataFrame, points: pd.DataFrame) -> str:
    """How long training took: one run of a series of curves, and one run of each setting it is compared with."""
    start = "Training" if len(part) == len(points) else f"{series}: training"
    return (
        f"{start} took {part.curve_seconds.iloc[0]:.0f} s for all betas at once, and {part.seconds.sum():.0f} s for "
        f"one run of each of the {len(part)} settings shown."
    )


def cells(points: pd.DataFrame) -> list[list[str]]:
    """The table of a comparison at equal rate, its heads first."""
    several = points.series.nunique() > 1
    rows = [["runs of one beta", *["curve"] * several, "rate (nats)", "their distortion (nats)"]]
    rows[0] += ["distortion of the curve (nats)", "difference ± s.e. (nats)"]
    for row in points.sort_values("rate", ascending=False).itertuples():
        numbers = [f"{value:.2f}" for value in (row.rate, row.distortion, row.curve)]
        difference = signed_with_error(row.difference, row.difference_se)
        rows.append([row.setting, *[row.series] * several, *numbers, difference])
    return rows


def signed_with_error(difference: float, error: float) -> str:
    """A difference with its sign and its standard error."""
    return ("+" if difference >= 0 else "-") + with_error(abs(difference), error, digits=2)
