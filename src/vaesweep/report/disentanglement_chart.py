"""Figure of the scores of disentanglement by beta."""

from collections.abc import Sequence

import altair as alt
import pandas as pd

from vaesweep.report.chart_style import PANEL, numbers, panel_title, series_scale
from vaesweep.report.evaluation_table import display_name, measure_table
from vaesweep.report.read_run import Run
from vaesweep.report.report_figure import ReportFigure


def disentanglement(frame: pd.DataFrame, runs: Sequence[Run]) -> ReportFigure | None:
    """Disentanglement by beta, a panel per score: means over the runs of a setting, and their standard errors."""
    long = measure_table(frame, runs)
    long = long[(long.measure == "disentanglement") & long.beta.notna()]
    long = long[long.groupby("value").beta.transform("nunique") > 1]
    if long.empty:
        return None
    groups = long.groupby(["series", "beta", "value"], sort=False).number
    means = groups.agg(mean="mean", se="sem", n="size").reset_index()
    means = means.assign(low=means["mean"] - means.se, high=means["mean"] + means.se)
    colour, shape, legend = series_scale(frame.series.unique(), means.series)
    scale = alt.Scale(type="log" if means.beta.min() > 0 else "symlog", nice=False, padding=12)
    betas = alt.Axis(values=sorted(means.beta.unique()), format="~g")
    panels = []
    for name, part in means.groupby("value", sort=False):
        x = alt.X("beta:Q", scale=scale, axis=betas)
        base = alt.Chart(part)
        tip = ["series", "beta", "n", *numbers("mean", "se")]
        y = alt.Y("mean:Q", title="score", scale=alt.Scale(zero=False))
        panels.append(
            alt.layer(
                base.mark_line().encode(x, y, colour, detail="series:N"),
                base.mark_rule().encode(x, alt.Y("low:Q"), alt.Y2("high:Q"), colour),
                base.mark_point(filled=True, size=50).encode(x, y, colour, shape, tooltip=tip),
                title=panel_title(display_name(str(name))),
                height=200,
            )
        )
    caption = (
        "Whether each factor of the data has a latent dimension of its own, by beta: means over seeds ± standard "
        "error; 1 is best."
    )
    return ReportFigure("Disentanglement", caption, panels, legend, PANEL)
