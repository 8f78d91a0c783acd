"""Tables to charts, each one specification for a page and for a PNG. Colours are for colour-blind readers too."""

from collections.abc import Iterable, Sequence

import altair as alt
import numpy as np
import pandas as pd

from vaesweep.comparison.reading import Run
from vaesweep.comparison.tables import pareto

# Okabe & Ito, without its yellow
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
SHAPES = ("circle", "square", "triangle-up", "diamond", "cross", "triangle-down", "triangle-right")
GREY = "#767676"
WIDTH, HEIGHT = 620, 420
NATS = "nats per image"
alt.data_transformers.disable_max_rows()


def series_scale(names: Sequence[str], shown: Iterable[str]) -> tuple[alt.Color, alt.Shape]:
    """A colour and a shape for each of the report's series, the same in every chart; a legend for those `shown`."""
    turn = range(len(names))
    colours = alt.Scale(domain=list(names), range=[COLOURS[i % len(COLOURS)] for i in turn])
    shapes = alt.Scale(domain=list(names), range=[SHAPES[i % len(SHAPES)] for i in turn])
    present = list(dict.fromkeys(shown))
    legend = alt.Legend(title=None, labelLimit=400, orient="bottom", columns=3, values=present) if present[1:] else None
    return alt.Color("series:N", scale=colours, legend=legend), alt.Shape("series:N", scale=shapes, legend=legend)


def plane(frame: pd.DataFrame, means: pd.DataFrame) -> alt.TopLevelMixin | None:
    """The rate-distortion plane: runs as points, means over seeds with their standard deviation on lines over beta."""
    runs = frame[(frame.status == "completed") & frame.kl.notna()]
    means = means.dropna(subset=["kl"])
    if runs.empty:
        return None
    x_range, y_range = padded(runs.kl, at_least=0.0), padded(runs.distortion)
    rate, distortion = alt.Scale(domain=x_range, nice=False), alt.Scale(domain=y_range, nice=False)
    x = alt.X("kl:Q", title=f"rate R = KL ({NATS})", scale=rate)
    y = alt.Y("distortion:Q", title=f"distortion D ({NATS})", scale=distortion)
    colour, shape = series_scale(frame.series.unique(), means.series)
    bars = means.assign(
        kl_low=means.kl - means.kl_sd, kl_high=means.kl + means.kl_sd,
        d_low=means.distortion - means.distortion_sd, d_high=means.distortion + means.distortion_sd,
    )  # fmt: skip
    points = (
        alt.Chart(runs, name="runs")
        .mark_point(filled=True, size=55, opacity=0.75)
        .encode(x, y, colour, shape, tooltip=["run", "setting", "seed", *numbers("kl", "distortion", "nelbo", "mse")])
    )
    lines = alt.Chart(means).mark_line(strokeWidth=1.8).encode(x, y, colour, order="kl:Q", detail="series:N")
    # the same axes again: an encoding without a scale would stretch its axis to zero
    x_low, y_low = alt.X("kl_low:Q", scale=rate, title=""), alt.Y("d_low:Q", scale=distortion, title="")
    widths = alt.Chart(bars).mark_rule(strokeWidth=1.2).encode(x_low, alt.X2("kl_high:Q"), y, colour)
    heights = alt.Chart(bars).mark_rule(strokeWidth=1.2).encode(x, y_low, alt.Y2("d_high:Q"), colour)
    named = means[means.setting != means.series]
    labels = alt.Chart(named.assign(text=[f"β {beta:g}" for beta in named.beta]))
    betas = labels.mark_text(align="left", dx=8, dy=-8, fontSize=11).encode(x, y, alt.Text("text:N"), colour)
    front = (
        alt.Chart(pareto(means))
        .mark_line(strokeDash=[5, 4], strokeWidth=1.5, color=GREY, interpolate="step-after")
        .encode(x, y, order="kl:Q")
    )
    title = alt.TitleParams(
        "What reconstruction costs in KL",
        subtitle="points: runs; lines: means over seeds ± standard deviation; dashed: Pareto front; "
        "grey: equal nelbo (D + R)",
    )
    layers = [*iso_nelbo(x, y, x_range, y_range), front, lines, widths, heights, points, betas]
    # not beside a name: Altair would bind the scales of a copy
    return alt.layer(*layers, title=title, width=WIDTH, height=HEIGHT).interactive()


def iso_nelbo(x: alt.X, y: alt.Y, x_range: tuple[float, float], y_range: tuple[float, float]) -> list[alt.Chart]:
    """Lines D + R = const through the box, each labelled where it leaves it at the top or on the left."""
    (left, right), (low, high) = x_range, y_range
    step = nice_step((right + high - left - low) / 8)
    rows = []
    for total in np.arange(np.ceil((left + low) / step), (right + high) / step) * step:
        start = max(left, total - high), min(right, total - low)
        rows += [{"total": total, "kl": kl, "distortion": total - kl} for kl in start if start[0] < start[1]]
    lines = pd.DataFrame(rows)
    ends = lines.groupby("total").first().reset_index().assign(text=lambda f: f.total.map("{:g}".format))
    drawn = alt.Chart(lines).mark_line(color="#D0D0D0", strokeWidth=1).encode(x, y, detail="total:N")
    named = (
        alt.Chart(ends).mark_text(color=GREY, fontSize=10, align="left", dx=4, dy=9).encode(x, y, alt.Text("text:N"))
    )
    return [drawn, named]


def slope(frame: pd.DataFrame, rows: pd.DataFrame) -> alt.TopLevelMixin | None:
    """The slope of each step of a ladder against the two betas that it should lie between."""
    if rows.empty:
        return None
    rows = rows.assign(
        beta=np.sqrt(rows.low * rows.high), slope_low=rows.slope - rows.sd, slope_high=rows.slope + rows.sd
    )
    ends = float(min(rows.low.min(), rows.slope[rows.slope > 0].min())), float(max(rows.high.max(), rows.slope.max()))
    log = alt.Scale(type="log", domain=[ends[0] / 1.3, ends[1] * 1.3], nice=False)
    x = alt.X("beta:Q", scale=log, title="beta (nats of distortion a nat of rate)")
    y = alt.Y("slope:Q", scale=log, title="-dD/dR")
    colour, shape = series_scale(frame.series.unique(), rows.series)
    boxes = (
        alt.Chart(rows[["low", "high"]].drop_duplicates())
        .mark_rect(opacity=0.18, color=GREY)
        .encode(alt.X("low:Q", scale=log), alt.X2("high:Q"), alt.Y("low:Q", scale=log), alt.Y2("high:Q"))
    )
    bars = (
        alt.Chart(rows[rows.slope_low > 0]).mark_rule().encode(x, alt.Y("slope_low:Q"), alt.Y2("slope_high:Q"), colour)
    )
    tip = ["series", *numbers("low", "high", "slope", "sd"), "n"]
    points = alt.Chart(rows[rows.slope > 0]).mark_point(filled=True, size=70).encode(x, y, colour, shape, tooltip=tip)
    title = alt.TitleParams(
        "Is the trade-off optimal? The slope of the plane against beta",
        subtitle="at the optimum of D + beta R each slope lies in its grey box, between its two betas",
    )
    return alt.layer(boxes, bars, points, title=title, width=HEIGHT, height=HEIGHT)


def penalty(frame: pd.DataFrame) -> alt.TopLevelMixin | None:
    """Members without a rate: mse against what they pay instead, each in its own units."""
    kept = frame[(frame.status == "completed") & frame.kl.isna()]
    long = kept.melt(
        ["series", "setting", "seed", "run", "mse"], ["sparsity", "contraction"], var_name="term", value_name="penalty"
    ).dropna(subset=["penalty"])
    if long.empty:
        return None
    colour, shape = series_scale(frame.series.unique(), long.series)
    tip = ["run", "setting", "seed", *numbers("mse", "penalty")]
    units = {"sparsity": "sparsity (its own units)", "contraction": "contraction (squared Frobenius norm)"}
    y = alt.Y("mse:Q", title="mse per pixel", scale=alt.Scale(zero=False))
    panels = [
        alt.Chart(long[long.term == term], width=WIDTH / 2 - 40, height=HEIGHT * 0.7)
        .mark_point(filled=True, size=60, opacity=0.8)
        .encode(alt.X("penalty:Q", title=units[term]), y, colour, shape, tooltip=tip)
        for term in dict.fromkeys(long.term)
    ]
    return alt.hconcat(*panels, title="Members without a rate: reconstruction against penalty")


def dimensions(frame: pd.DataFrame, runs: Sequence[Run]) -> alt.TopLevelMixin | None:
    """KL of each latent dimension, most informative first, mean over seeds, for every setting with a rate."""
    kept = frame[(frame.status == "completed") & frame.kl.notna()]
    rows = [
        {"series": row.series, "beta": row.beta, "rank": rank + 1, "kl": kl}
        for row in kept.itertuples()
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
        .properties(title=alt.TitleParams(str(series), fontWeight="normal", fontSize=12))
        for series, part in cells.groupby("series", sort=False)
    ]
    return alt.concat(*panels, columns=2, title="What each latent dimension carries, in nats")


def curves(frame: pd.DataFrame, runs: Sequence[Run]) -> alt.TopLevelMixin | None:
    """Training and validation terms by epoch, mean over the seeds of a setting."""
    parts = []
    for row in frame.itertuples():
        rows = runs[row.Index].curves
        terms = [c for c in rows if c.partition("/")[2] in ("loss", "distortion", "kl", "sparsity", "contraction")]
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
    ladder = alt.Color("beta:Q", scale=alt.Scale(type="log", scheme="viridis"), legend=alt.Legend(title="beta"))
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
                title=f"{term} ({'own units' if term in ('sparsity', 'contraction') else NATS})",
                scale=alt.Scale(domain=without_start(part), nice=False),
            ),
            colour,
            dash,
            detail="setting:N",
            tooltip=["setting", "split", "epoch", *numbers("value")],
        )
        for term, part in mean.groupby("term", sort=False)
    ]
    return alt.concat(*panels, columns=3, title="Learning curves, means over seeds")


def without_start(part: pd.DataFrame) -> tuple[float, float]:
    """Limits for an axis that the first epochs, where everything is large, do not squeeze."""
    later = part[part.epoch > part.epoch.max() / 10]
    return padded(later.value)


def whole_ticks(epochs: pd.Series) -> list[int]:
    """Up to about ten whole epochs."""
    return list(range(0, int(epochs.max()) + 1, max(1, int(nice_step(epochs.max() / 10)))))


def padded(values: pd.Series, at_least: float = -np.inf) -> tuple[float, float]:
    """Limits around values, with room for labels."""
    low, high = float(values.min()), float(values.max())
    room = 0.08 * (high - low) or 0.08 * abs(high) or 1.0
    return max(at_least, low - room), high + room


def nice_step(rough: float) -> float:
    """The next of 1, 2, 5 times a power of ten."""
    power = 10.0 ** np.floor(np.log10(rough))
    return float(next(power * m for m in (1, 2, 5, 10) if power * m >= rough))


def numbers(*names: str) -> list[alt.Tooltip]:
    """Tooltips with four significant digits."""
    return [alt.Tooltip(f"{name}:Q", format=".4g") for name in names]
