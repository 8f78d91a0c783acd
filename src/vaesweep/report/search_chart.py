"""Figure of a search: what it found, when, which settings mattered, and where the best trials lie."""

from collections.abc import Sequence

import altair as alt
import pandas as pd

from vaesweep.records.search_record import SearchRecord
from vaesweep.report.chart_style import COLOURS, PANEL, numbers, padded_limits, panel_title
from vaesweep.report.report_figure import ReportFigure

PANEL_HEIGHT = 220


def search_figure(record: SearchRecord) -> ReportFigure | None:
    """The figure of one search; None where fewer than two of its trials have completed."""
    completed = [(number, trial) for number, trial in enumerate(record.trials, start=1) if trial["values"] is not None]
    trials = pd.DataFrame(
        [
            {"trial": number, **trial["settings"], **dict(zip(record.metrics, trial["values"], strict=True))}
            for number, trial in completed
        ]
    )
    if len(trials) < 2:
        return None
    best = [tuple(trial["values"]) for trial in record.front()]
    trials["best"] = [tuple(row) in best for row in trials[list(record.metrics)].itertuples(index=False)]
    settings = list(dict.fromkeys(key for _, trial in completed for key in trial["settings"]))
    panels = [progress(trials, record.metrics)]
    if len(record.metrics) > 1:
        panels.insert(0, front(trials, record.metrics))
    if record.importances:
        panels.append(importances(record))
    panels.append(parallel_coordinates(trials, [*settings, *record.metrics]))
    counts = ", ".join([f"{len(trials)} completed trials", *record.not_completed()])
    best_are = "the front, where no other trial is lower in one without being higher in the other"
    caption = (
        f"{counts}, by {' and '.join(record.metrics)} on "
        f"validation images; lower is better. Blue: {best_are if len(record.metrics) > 1 else 'the lowest'}."
    )
    if len(record.importances) > 1:  # in words, because a figure has one legend for all its charts
        caption += f" Shares of the variance: {record.metrics[0]} blue, {record.metrics[1]} orange."
    return ReportFigure("The search", caption, panels, width=PANEL)


def colour() -> alt.Color:
    """Blue for the best trials, grey for the others."""
    return alt.Color("best:N", scale=alt.Scale(domain=[True, False], range=[COLOURS[0], "#A8A8A8"]), legend=None)


def field(name: str) -> str:
    """The name of a column as Vega-Lite takes it: a dot would mean a field within a field."""
    return name.replace(".", "\\.").replace("[", "\\[").replace("]", "\\]")


def front(trials: pd.DataFrame, metrics: Sequence[str]) -> alt.Chart:
    """The trials in the plane of both metrics."""
    scales = [alt.Scale(domain=padded_limits(trials[name]), nice=False) for name in metrics]
    x, y = (f"{field(name)}:Q" for name in metrics)
    return (
        alt.Chart(trials, title=panel_title("trials"), height=PANEL_HEIGHT)
        .mark_point(filled=True, size=55, opacity=0.9)
        .encode(
            alt.X(x, title=metrics[0], scale=scales[0]),
            alt.Y(y, title=metrics[1], scale=scales[1]),
            colour(),
            order="best:N",  # the best ones last, on top of the others
            tooltip=["trial", *[alt.Tooltip(f"{field(name)}:Q", title=name, format=".4g") for name in metrics]],
        )
    )


def progress(trials: pd.DataFrame, metrics: Sequence[str]) -> alt.Chart:
    """The best so far: the lowest value of one metric, or the area that the front of two leaves behind it."""
    if len(metrics) > 1:
        title, values = "area behind the front", areas(trials[list(metrics)])
    else:
        title, values = f"lowest {metrics[0]} so far", list(trials[metrics[0]].cummin())
    steps = trials.assign(value=values)
    return (
        alt.Chart(steps, title=panel_title("the search so far"), height=PANEL_HEIGHT)
        .mark_line(interpolate="step-after", color=COLOURS[0], point={"color": COLOURS[0]})
        .encode(
            alt.X("trial:Q", axis=alt.Axis(format="d", tickMinStep=1), scale=alt.Scale(nice=False, zero=False)),
            alt.Y("value:Q", title=title, scale=alt.Scale(domain=padded_limits(steps.value), nice=False)),
            tooltip=["trial", *numbers("value")],
        )
    )


def areas(points: pd.DataFrame) -> list[float]:
    """The area of the plane that the points so far dominate, up to the largest value of each metric, by their number.

    The hypervolume of two dimensions (Zitzler & Thiele 1998).
    """
    limit_x, limit_y = points.max()
    grown = []
    for count in range(1, len(points) + 1):
        area, lowest = 0.0, limit_y
        for x, y in sorted(points.head(count).itertuples(index=False, name=None)):
            if y < lowest:
                area, lowest = area + (limit_x - x) * (lowest - y), y
        grown.append(area)
    return grown


def importances(record: SearchRecord) -> alt.Chart:
    """The share of each metric's variance that each setting explains."""
    rows = [
        {"setting": setting, "metric": metric, "share": share}
        for metric, shares in record.importances.items()
        for setting, share in shares.items()
    ]
    metrics = list(record.importances)
    scale = alt.Scale(domain=metrics, range=list(COLOURS[: len(metrics)]))
    return (
        alt.Chart(pd.DataFrame(rows), title=panel_title("which settings mattered"), height=PANEL_HEIGHT)
        .mark_bar()
        .encode(
            alt.X("share:Q", title="share of the variance", axis=alt.Axis(format="%")),
            alt.Y("setting:N", title=None, sort="-x"),
            alt.YOffset("metric:N", sort=metrics),
            alt.Color("metric:N", scale=scale, legend=None),
            tooltip=["setting", "metric", *numbers("share")],
        )
    )


def parallel_coordinates(trials: pd.DataFrame, names: Sequence[str]) -> alt.Chart:
    """A line a trial through its settings and metrics, each from its lowest value to its highest."""
    ends = [name.rpartition(".")[2] for name in names]
    short = {name: end if ends.count(end) == 1 else name for name, end in zip(names, ends, strict=True)}
    parts = [
        trials[["trial", "best"]].assign(name=short[name], place=heights(trials[name]), value=trials[name].astype(str))
        for name in names
    ]
    long = pd.concat(parts)
    return (
        alt.Chart(long, title=panel_title("settings and metrics of each trial"), height=PANEL_HEIGHT)
        .mark_line(opacity=0.7)
        .encode(
            alt.X("name:N", title=None, sort=list(short.values()), axis=alt.Axis(labelAngle=-20, labelOverlap=False)),
            alt.Y("place:Q", title="lowest to highest", axis=alt.Axis(values=[0, 1], labels=False)),
            colour(),
            detail="trial:N",
            tooltip=["trial", "name", "value"],
        )
    )


def heights(values: pd.Series) -> pd.Series:
    """Where values stand between the lowest and the highest, 0 to 1: numbers by rank, words in their order."""
    numeric = pd.to_numeric(values, errors="coerce")
    ordered = numeric if numeric.notna().equals(values.notna()) else values.astype(str)
    ranks = ordered.rank(method="dense") - 1
    return ranks / max(1.0, float(ranks.max()))
