"""Runs that were trained for a range of betas: their curves, beside runs of one beta each."""

from collections.abc import Sequence
from typing import Any

import altair as alt
import numpy as np
import pandas as pd
from scipy.interpolate import PchipInterpolator

from vaesweep.report.chart_style import DARK, GREY, HEIGHT, NATS, numbers, padded_limits, series_scale
from vaesweep.report.data_frames import COMPARABLE
from vaesweep.report.evaluation_table import measures
from vaesweep.report.metrics_table import with_error
from vaesweep.report.read_run import Run
from vaesweep.report.report_figure import ReportFigure

MEASURE = "rate_distortion_curve"
COLUMNS = ("beta", "rate", "distortion", "error")
MARKED = [m * 10.0**k for k in range(-4, 5) for m in (1, 2, 5)]
"""Betas that are marked on a curve."""


def lacks_curve(run: Run) -> bool:
    """Whether a run is completed, trained for a range of betas, and its curve was not measured."""
    has_range = run.results.declaration.get("rate_weight_range") is not None
    known = run.evaluation.measures if run.evaluation else {}
    return has_range and run.results.status == "completed" and MEASURE not in known


def curves(frame: pd.DataFrame, runs: Sequence[Run]) -> pd.DataFrame:
    """A row per beta of every curve that was measured: those of `COLUMNS`, the run's series, seed and COMPARABLE."""
    parts = [
        pd.DataFrame(entry["series"])[list(COLUMNS)]
        .astype(float)
        .dropna()
        .assign(
            run=row.run,
            series=row.series,
            seed=row.seed,
            seconds=row.seconds,
            **{c: getattr(row, c) for c in COMPARABLE},
        )
        for row in frame.itertuples()
        for measure, entry in measures(runs[row.Index])
        if measure == MEASURE and entry["series"]
    ]
    return pd.concat(parts, ignore_index=True) if parts else pd.DataFrame()


def mean_curves(curve_rows: pd.DataFrame) -> pd.DataFrame:
    """The mean over the seeds of each series: a row per beta."""
    return curve_rows.groupby(["series", "beta"], sort=False)[["rate", "distortion"]].mean().reset_index()


def marks(curves: pd.DataFrame) -> pd.DataFrame:
    """The points of mean curves at the betas `MARKED`."""
    rows = []
    for series, part in curves.groupby("series", sort=False):
        logs = np.log(part.beta)
        for beta in MARKED:
            if part.beta.min() <= beta <= part.beta.max():
                rate, distortion = (np.interp(np.log(beta), logs, part[name]) for name in ("rate", "distortion"))
                rows.append({"series": series, "beta": beta, "rate": rate, "distortion": distortion})
    return pd.DataFrame(rows, columns=["series", "beta", "rate", "distortion"])


def at_equal_rate(frame: pd.DataFrame, curve_rows: pd.DataFrame) -> pd.DataFrame:
    """How far each curve lies above the runs of one beta, at their rate; a row per series of curves and setting.

    The curve of a run is interpolated over its rates (monotone cubic, Fritsch & Carlson 1980). `difference` is its
    distortion at the rate of a separate run minus that run's, a mean over both kinds of seeds; `difference_se` adds the
    variances of both means, over seeds, or over test images where there is one seed.
    """
    separate = frame[(frame.status == "completed") & ~frame.run.isin(curve_rows.run)].dropna(subset=["beta", "rate"])
    rows = []
    for (series, *kind), part in curve_rows.groupby(["series", *COMPARABLE], sort=False):
        splines = [interpolators(one) for _, one in part.groupby("run", sort=False)]
        alike = separate[(separate[list(COMPARABLE)] == kind).all(axis=1)]
        for setting, members in alike.groupby("setting", sort=False):
            at = np.array([[curve(rate) for rate in members.rate] for curve, _ in splines])  # [curves, members]
            if np.isnan(at).any():  # beyond the curve's ends
                continue
            differences = at.mean(0) - members.distortion.to_numpy()
            of_curve = (
                at.mean(1).var(ddof=1) / len(at) if len(at) > 1 else float(splines[0][1](members.rate.mean())) ** 2
            )
            one = members.iloc[0]
            of_runs = differences.var(ddof=1) / len(members) if len(members) > 1 else one.nelbo_se**2
            rows.append(
                {"series": series, "setting": setting, "beta": one.beta, "runs": len(members), "curves": len(at)}
                | {"rate": members.rate.mean(), "distortion": members.distortion.mean(), "curve": at.mean()}
                | {"difference": differences.mean(), "difference_se": np.sqrt(of_curve + of_runs)}
            )
    return pd.DataFrame(rows)


def interpolators(curve: pd.DataFrame) -> tuple[PchipInterpolator, PchipInterpolator]:
    """Distortion and its standard error over the images as functions of the rate; NaN beyond the curve's ends."""
    rising = curve.sort_values("rate").drop_duplicates("rate")
    return tuple(PchipInterpolator(rising.rate, rising[name], extrapolate=False) for name in ("distortion", "error"))


def whole_curve(frame: pd.DataFrame, curve_rows: pd.DataFrame) -> ReportFigure | None:
    """Distortion of the curves minus that of the runs of one beta each, at equal rate, over the rate; and the table."""
    points = at_equal_rate(frame, curve_rows) if len(curve_rows) else pd.DataFrame()
    if points.empty:
        return None
    points = points.assign(low=points.difference - points.difference_se, high=points.difference + points.difference_se)
    (left, right), y_range = padded_limits(points.rate, 0.0), padded_limits(pd.concat([points.low, points.high]))
    x = alt.X("rate:Q", title=f"rate R = KL ({NATS})", scale=alt.Scale(domain=(left, right), nice=False))
    scale = alt.Scale(domain=(min(y_range[0], -0.1), max(y_range[1], 0.1)), nice=False)
    y = alt.Y("difference:Q", title=f"difference in distortion ({NATS})", scale=scale)
    colour, shape, legend = series_scale(frame.series.unique(), points.series)
    tip = ["setting", *numbers("beta", "rate", "distortion", "curve", "difference", "difference_se")]
    labels = alt.Chart(points.assign(text=points.beta.map("β {:g}".format)))
    bars = alt.Chart(points).mark_rule(strokeWidth=1.2, clip=True)
    layers = [
        alt.Chart(pd.DataFrame({"zero": [0.0]})).mark_rule(color=GREY).encode(alt.Y("zero:Q", scale=scale, title="")),
        bars.encode(x, alt.Y("low:Q", scale=scale, title=""), alt.Y2("high:Q"), colour),
        alt.Chart(points).mark_point(filled=True, size=60).encode(x, y, colour, shape, tooltip=tip),
        labels.mark_text(align="left", dx=8, dy=-9, color=DARK).encode(x, y, alt.Text("text:N")),
    ]
    caption = (
        "Distortion of a run that was trained for all betas, set to the rate of a run of one beta, minus that run's "
        "distortion: below zero the one run is better. Bars are ± standard error. "
        + seconds_sentence(frame, curve_rows)
    )
    charts, rows = [alt.layer(*layers, height=HEIGHT)], cells(points)
    return ReportFigure("One run for every beta", caption, charts, legend, rows=rows)


def seconds_sentence(frame: pd.DataFrame, curve_rows: pd.DataFrame) -> str:
    """How long training took: a run for all betas, and one run of each beta."""
    whole = curve_rows.drop_duplicates("run").seconds.mean()
    separate = frame[(frame.status == "completed") & ~frame.run.isin(curve_rows.run)].dropna(subset=["beta", "rate"])
    each = separate.groupby("setting").seconds.mean()
    return f"Training for all betas took {whole:.0f} s, for {len(each)} of them one by one {each.sum():.0f} s."


def cells(points: pd.DataFrame) -> list[list[str]]:
    """The table of a comparison at equal rate, its heads first."""
    heads = ["runs of one beta", "rate", "their distortion", "that of the curve", "difference ± s.e."]
    return [
        heads,
        *(
            [row.setting, f"{row.rate:.2f}", f"{row.distortion:.2f}", f"{row.curve:.2f}", signed_with_error(row)]
            for row in points.sort_values("rate", ascending=False).itertuples()
        ),
    ]


def signed_with_error(row: Any) -> str:
    """A difference with its sign and its standard error."""
    return ("+" if row.difference >= 0 else "-") + with_error(abs(row.difference), row.difference_se)
