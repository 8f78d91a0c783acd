"""Figure of what each latent dimension carries."""

import textwrap
from collections.abc import Iterable, Iterator, Sequence

import altair as alt
import pandas as pd

from vaesweep.report.chart_style import PANEL, numbers, panel_title
from vaesweep.report.read_run import Run, finite
from vaesweep.report.report_figure import ReportFigure

MAX_BAR_CHARTS = 6
"""Most bar charts of latent dimensions of one unit; more settings share a heat map."""


def latent_dimensions(frame: pd.DataFrame, runs: Sequence[Run]) -> ReportFigure | None:
    """What each latent dimension carries in the unit that its model declares, largest first, mean over seeds.

    A ladder of betas is a heat map; a setting alone is a bar chart, and many of these are a heat map again.
    """
    rows = [
        {"unit": runs[row.Index].results.declared.dimension_unit, "series": row.series, "setting": row.setting}
        | {"beta": row.beta, "rank": rank, "value": value}
        for row in frame[frame.status == "completed"].itertuples()
        for rank, value in enumerate(by_size(runs[row.Index].results.dimensions), start=1)
    ]
    if not rows:
        return None
    long = pd.DataFrame(rows)
    long = long[long.groupby("setting")["rank"].transform("max") > 1]  # one dimension alone says what the table says
    keys = ["unit", "series", "setting", "beta", "rank"]
    cells = long.groupby(keys, sort=False, dropna=False).value.mean().reset_index()
    panels = [panel for unit, part in cells.groupby("unit", sort=False) for panel in dimension_panels(str(unit), part)]
    caption = (
        "Latent dimensions, the largest first, means over the runs of a setting. A dimension with a KL of 0, or "
        "with a code of no variance, says nothing about the image."
    )
    return ReportFigure("What each latent dimension carries", caption, panels, width=PANEL) if panels else None


def by_size(dimensions: Sequence[float]) -> list[float]:
    """The values that are finite, the largest first."""
    return sorted((value for value in map(finite, dimensions) if value == value), reverse=True)


def dimension_panels(unit: str, cells: pd.DataFrame) -> Iterator[alt.Chart]:
    """The charts of all models whose dimensions have this unit."""
    in_ladder = (cells.groupby("series").setting.transform("nunique") > 1) & cells.beta.notna()
    limit = float(cells.value[in_ladder].max())
    for series, part in cells[in_ladder].groupby("series", sort=False):
        yield heat_map(part, "beta:O", "beta", unit, limit).properties(title=panel_title(str(series)))
    alone = cells[~in_ladder]
    if alone.setting.nunique() > MAX_BAR_CHARTS:
        labelled = alone.assign(label=alone.setting.map(row_labels(alone.setting.unique())))
        yield heat_map(labelled, "label:N", None, unit, float(alone.value.max())).properties(title=panel_title(unit))
        return
    for setting, part in alone.groupby("setting", sort=False):
        bars = alt.Chart(part, height=180).mark_bar(color="#0072B2")
        yield bars.encode(
            rank_axis(), alt.Y("value:Q", title=unit), tooltip=["setting", "rank", *numbers("value")]
        ).properties(title=panel_title(str(setting)))


def row_labels(settings: Iterable[str]) -> dict[str, str]:
    """Of each setting the words that not all have, in one line or two."""
    words = {setting: setting.split(" ") for setting in settings}
    shared = set.intersection(*map(set, words.values()))
    own = {setting: " ".join(word for word in parts if word not in shared) for setting, parts in words.items()}
    return {setting: "\n".join(textwrap.wrap(own[setting] or setting, 24)[:2]) for setting in words}


def heat_map(cells: pd.DataFrame, row: str, row_title: str | None, unit: str, limit: float) -> alt.Chart:
    """A row per beta or setting, a column per dimension; dark is little. `limit` is the value of the lightest."""
    colour = alt.Color(
        "value:Q",
        title=unit,
        scale=alt.Scale(scheme="viridis", domain=[0, limit or 1]),
        legend=alt.Legend(gradientLength=180, tickCount=3),
    )
    axis = alt.Axis(labelLimit=170, labelExpr="split(datum.label, '\\n')", labelOverlap=False)
    tip = ["setting", "rank", *numbers("value")]
    lines = 1 + int(cells[row.removesuffix(":N")].str.count("\n").max()) if row.endswith(":N") else 1
    chart = alt.Chart(cells, height=(12 + 16 * lines) * cells.setting.nunique()).mark_rect()
    return chart.encode(rank_axis(), alt.Y(row, title=row_title, sort=None, axis=axis), colour, tooltip=tip)


def rank_axis() -> alt.X:
    """Latent dimensions by their rank; labels that would overlap are left out."""
    return alt.X("rank:O", title="latent dimension, by rank", axis=alt.Axis(labelAngle=0))
