"""Figures of penalties, latent dimensions and learning curves."""

from collections.abc import Iterator, Sequence

import altair as alt
import pandas as pd

from vaesweep.report.chart_style import (
    HEIGHT,
    NATS,
    TYPE_SIZE,
    beta_scale,
    nice_step,
    numbers,
    padded_limits,
    series_scale,
)
from vaesweep.report.panels import Panels
from vaesweep.report.read_run import Run, finite

PANEL = 320
"""Width of one of several charts in a figure."""
MAX_BAR_CHARTS = 6
"""Most bar charts of latent dimensions of one unit; more settings share a heat map."""


def penalty(frame: pd.DataFrame) -> Panels | None:
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
    return Panels("Models without a rate", caption, panels, legend, PANEL)


def dimensions(frame: pd.DataFrame, runs: Sequence[Run]) -> Panels | None:
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
        "Latent dimensions, the largest first, means over seeds. A dimension with a KL of 0, or with a code of no "
        "variance, says nothing about the image."
    )
    return Panels("What each latent dimension carries", caption, panels, width=PANEL) if panels else None


def by_size(dimensions: Sequence[float]) -> list[float]:
    """The values that are finite, the largest first."""
    return sorted((value for value in map(finite, dimensions) if value == value), reverse=True)


def dimension_panels(unit: str, cells: pd.DataFrame) -> Iterator[alt.Chart]:
    """The charts of all models whose dimensions have this unit."""
    in_ladder = cells.groupby("series").setting.transform("nunique") > 1
    limit = float(cells.value[in_ladder].max())
    for series, part in cells[in_ladder].groupby("series", sort=False):
        yield heat_map(part, "beta:O", "beta", unit, limit).properties(title=panel_title(str(series)))
    alone = cells[~in_ladder]
    if alone.series.nunique() > MAX_BAR_CHARTS:
        yield heat_map(alone, "setting:N", None, unit, float(alone.value.max())).properties(title=panel_title(unit))
        return
    for series, part in alone.groupby("series", sort=False):
        bars = alt.Chart(part, height=180).mark_bar(color="#0072B2")
        yield bars.encode(
            rank_axis(), alt.Y("value:Q", title=unit), tooltip=["setting", "rank", *numbers("value")]
        ).properties(title=panel_title(str(series)))


def heat_map(cells: pd.DataFrame, row: str, row_title: str | None, unit: str, limit: float) -> alt.Chart:
    """A row per beta or setting, a column per dimension; dark is little. `limit` is the value of the lightest."""
    colour = alt.Color(
        "value:Q",
        title=unit,
        scale=alt.Scale(scheme="viridis", domain=[0, limit or 1]),
        legend=alt.Legend(gradientLength=180, tickCount=3),
    )
    axis = alt.Axis(labelLimit=150)
    tip = ["setting", "rank", *numbers("value")]
    chart = alt.Chart(cells, height=28 * cells.setting.nunique()).mark_rect()
    return chart.encode(rank_axis(), alt.Y(row, title=row_title, sort=None, axis=axis), colour, tooltip=tip)


def rank_axis() -> alt.X:
    """Latent dimensions by their rank; labels that would overlap are left out."""
    return alt.X("rank:O", title="latent dimension", axis=alt.Axis(labelAngle=0))


def panel_title(text: str) -> alt.TitleParams:
    """The title of one of several charts, cut where a telephone would be too narrow for it."""
    return alt.TitleParams(text, fontWeight="normal", fontSize=TYPE_SIZE, limit=280)


def curves(frame: pd.DataFrame, runs: Sequence[Run]) -> Panels | None:
    """Training and validation terms by epoch, mean over the seeds of a setting; none from a single epoch."""
    parts, units = [], {"loss": NATS, "distortion": NATS}
    for row in frame.itertuples():
        rows, declaration = runs[row.Index].history, runs[row.Index].results.declared
        units |= declaration.terms
        terms = [c for c in rows if c.partition("/")[2] in ("loss", "distortion", *declaration.terms)]
        if terms and rows.epoch.nunique() > 1:
            long = rows.melt("epoch", terms, var_name="name", value_name="value")
            parts.append(long.assign(setting=row.setting, series=row.series, beta=row.beta))
    if not parts:
        return None
    long = pd.concat(parts).dropna(subset=["value"])
    if long.empty:
        return None
    long[["split", "term"]] = long["name"].str.split("/", n=1, expand=True).to_numpy()
    mean = long.groupby(["series", "setting", "beta", "term", "split", "epoch"], sort=False, dropna=False).value.mean()
    mean = mean.reset_index()
    if mean.series.nunique() == 1 and mean.beta.nunique() > 1:
        colour, legend = beta_scale(mean.beta)
    else:
        colour, _, legend = series_scale(frame.series.unique(), mean.series)
    dash = alt.StrokeDash("split:N", title=None, scale=alt.Scale(domain=["val", "train"], range=[[1, 0], [3, 3]]))
    panels = [
        alt.Chart(part, height=220)
        .mark_line(clip=True)
        .encode(
            alt.X(
                "epoch:Q",
                axis=alt.Axis(values=whole_ticks(part.epoch), format="d"),
                scale=alt.Scale(nice=False, zero=False),
            ),
            alt.Y(
                "value:Q",
                title=f"{term} ({units[term]})",
                scale=alt.Scale(domain=limits_without_start(part), nice=False),
            ),
            colour,
            dash,
            detail="setting:N",
            tooltip=["setting", "split", "epoch", *numbers("value")],
        )
        for term, part in mean.groupby("term", sort=False)
    ]
    caption = (
        "Means over seeds: validation solid, training dotted. Validation is scored with the final weight of the "
        "penalty, training with its schedule. The first epochs may lie above the axis."
    )
    return Panels("Learning curves", caption, panels, legend, PANEL)


def limits_without_start(part: pd.DataFrame) -> tuple[float, float]:
    """Axis limits that ignore the first epochs, where all values are large."""
    later_epochs = part[part.epoch > part.epoch.max() / 10]
    return padded_limits(later_epochs.value)


def whole_ticks(epochs: pd.Series) -> list[int]:
    """Up to about ten whole epochs."""
    return list(range(0, int(epochs.max()) + 1, max(1, int(nice_step(epochs.max() / 10)))))
