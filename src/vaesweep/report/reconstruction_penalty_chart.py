"""Figure of reconstruction against penalty, for models without a rate."""

import altair as alt
import pandas as pd

from vaesweep.report.chart_style import HEIGHT, PANEL, numbers, series_scale
from vaesweep.report.report_figure import ReportFigure


def penalty(frame: pd.DataFrame) -> ReportFigure | None:
    """Models without a rate: mse against their penalties, each in its own unit, where several settings have one."""
    units = frame.attrs["penalties"]
    keys = ["series", "setting", "seed", "run", "mse"]
    completed = frame[(frame.status == "completed") & frame.rate.isna()]
    # without the settings, one of which may be called penalty
    long = completed[[*keys, *units]].melt(keys, list(units), var_name="term", value_name="penalty")
    long = long.dropna(subset=["mse", "penalty"])
    long = long[long.groupby("term").setting.transform("nunique") > 1]
    if long.empty:
        return None
    colour, shape, legend = series_scale(frame.series.unique(), long.series)
    tip = ["run", "setting", "seed", *numbers("mse", "penalty")]
    y = alt.Y("mse:Q", title="mse per pixel", scale=alt.Scale(zero=False))
    panels = [
        alt.Chart(long[long.term == term], height=HEIGHT * 0.7)
        .mark_point(filled=True, size=60, opacity=0.8)
        .encode(alt.X("penalty:Q", title=f"{term} ({units[term]})"), y, colour, shape, tooltip=tip)
        for term in dict.fromkeys(long.term)
    ]
    caption = "Reconstruction against penalty. Each penalty has a unit of its own: compare along an axis, not across."
    return ReportFigure("Models without a rate", caption, panels, legend, PANEL)
