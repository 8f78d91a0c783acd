"""Charts of penalties, latent dimensions and learning curves, each one specification for page and PNG."""

from collections.abc import Sequence

import altair as alt
import pandas as pd

from vaesweep.report.chart_style import HEIGHT, NATS, WIDTH, nice_step, numbers, padded_limits, series_scale
from vaesweep.report.collection import Run


def penalty(frame: pd.DataFrame) -> alt.TopLevelMixin | None:
    """Models without a rate: mse against their penalties, each in its own unit."""
    units = frame.attrs["penalties"]
    completed = frame[(frame.status == "completed") & frame.rate.isna()]
    long = completed.melt(
        ["series", "setting", "seed", "run", "mse"], list(units), var_name="term", value_name="penalty"
    ).dropna(subset=["penalty"])
    if long.empty:
        return None
    colour, shape = series_scale(frame.series.unique(), long.series)
    tip = ["run", "setting", "seed", *numbers("mse", "penalty")]
    y = alt.Y("mse:Q", title="mse per pixel", scale=alt.Scale(zero=False))
    panels = [
        alt.Chart(long[long.term == term], width=WIDTH / 2 - 40, height=HEIGHT * 0.7)
        .mark_point(filled=True, size=60, opacity=0.8)
        .encode(alt.X("penalty:Q", title=f"{term} ({units[term]})"), y, colour, shape, tooltip=tip)
        for term in dict.fromkeys(long.term)
    ]
    return alt.hconcat(*panels, title="Models without a rate: reconstruction against penalty")


def dimensions(frame: pd.DataFrame, runs: Sequence[Run]) -> alt.TopLevelMixin | None:
    """KL of each latent dimension, most informative first, mean over seeds, for every setting with a rate."""
    completed = frame[(frame.status == "completed") & frame.rate.notna()]
    rows = [
        {"series": row.series, "beta": row.beta, "rank": rank + 1, "kl": kl}
        for row in completed.itertuples()
        for rank, kl in enumerate(sorted(runs[row.Index].results.dimensions, reverse=True))
    ]
    if not rows:
        return None
    cells = pd.DataFrame(rows).groupby(["series", "beta", "rank"], sort=False).kl.mean().reset_index()
    panels = [
        alt.Chart(
            part, width=max(140, 56 * part.beta.nunique()), height=alt.Step(max(5, min(20, 320 / part["rank"].max())))
        )
        .mark_rect()
        .encode(
            alt.X("beta:O", title="beta", axis=alt.Axis(labelAngle=0)),
            alt.Y("rank:O", title="latent dimension, by KL"),
            alt.Color("kl:Q", title="KL (nats)", scale=alt.Scale(scheme="viridis", domainMin=0)),
            tooltip=["series", "beta", "rank", *numbers("kl")],
        )
        .properties(title=alt.TitleParams(str(series), fontWeight="normal", fontSize=13))
        for series, part in cells.groupby("series", sort=False)
    ]
    return alt.concat(*panels, columns=2, title="What each latent dimension carries, in nats")


def curves(frame: pd.DataFrame, runs: Sequence[Run]) -> alt.TopLevelMixin | None:
    """Training and validation terms by epoch, mean over the seeds of a setting."""
    parts, units = [], {"loss": NATS, "distortion": NATS}
    for row in frame.itertuples():
        rows, declaration = runs[row.Index].history, runs[row.Index].results.declared
        units |= declaration.terms
        terms = [c for c in rows if c.partition("/")[2] in ("loss", "distortion", *declaration.terms)]
        if terms:
            long = rows.melt("epoch", terms, var_name="name", value_name="value")
            parts.append(long.assign(setting=row.setting, series=row.series, beta=row.beta))
    if not parts:
        return None
    long = pd.concat(parts)
    long[["split", "term"]] = long["name"].str.split("/", expand=True).to_numpy()
    mean = long.groupby(["series", "setting", "beta", "term", "split", "epoch"], sort=False, dropna=False).value.mean()
    mean = mean.reset_index()
    one_ladder = mean.series.nunique() == 1 and mean.beta.nunique() > 1
    ladder = alt.Color(
        "beta:Q",
        scale=alt.Scale(type="log" if mean.beta.min() > 0 else "symlog", scheme="viridis"),
        legend=alt.Legend(title="beta"),
    )
    colour = ladder if one_ladder else series_scale(frame.series.unique(), mean.series)[0]
    dash = alt.StrokeDash("split:N", title=None, scale=alt.Scale(domain=["val", "train"], range=[[1, 0], [3, 3]]))
    panels = [
        alt.Chart(part, width=WIDTH / 3, height=220)
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
    return alt.concat(*panels, columns=3, title="Learning curves, means over seeds")


def limits_without_start(part: pd.DataFrame) -> tuple[float, float]:
    """Axis limits that ignore the first epochs, where all values are large."""
    later_epochs = part[part.epoch > part.epoch.max() / 10]
    return padded_limits(later_epochs.value)


def whole_ticks(epochs: pd.Series) -> list[int]:
    """Up to about ten whole epochs."""
    return list(range(0, int(epochs.max()) + 1, max(1, int(nice_step(epochs.max() / 10)))))
