"""Figure of learning curves."""

from collections.abc import Sequence

import altair as alt
import pandas as pd

from vaesweep.report.chart_style import NATS, PANEL, beta_scale, nice_step, numbers, padded_limits, series_scale
from vaesweep.report.evaluation_table import display_name
from vaesweep.report.read_run import Run
from vaesweep.report.report_figure import ReportFigure


def learning_curves(frame: pd.DataFrame, runs: Sequence[Run]) -> ReportFigure | None:
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
    curves = ["series", "setting", "beta", "term", "split"]
    mean = long.groupby([*curves, "epoch"], sort=False, dropna=False).value.agg(["mean", "size"]).reset_index()
    # a mean over fewer runs than before would jump
    runs_of_curve = mean.groupby(curves, sort=False, dropna=False)["size"].transform("max")
    mean = mean[mean["size"] == runs_of_curve].rename(columns={"mean": "value"})
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
                title=f"{display_name(str(term))} ({units[term]})",
                axis=alt.Axis(minExtent=34),  # the panels of a row begin at the same place
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
        "Means over the runs of a setting, as far as all of them got: validation solid, training dotted. Validation is "
        "scored with the weight "
        "that the penalty has in the end, training with the weight that it had in that epoch. The first epochs may be "
        "cut off at the top."
    )
    return ReportFigure("Learning curves", caption, panels, legend, PANEL)


def limits_without_start(part: pd.DataFrame) -> tuple[float, float]:
    """Axis limits that ignore the first epochs, where all values are large."""
    later_epochs = part[part.epoch > part.epoch.max() / 10]
    return padded_limits(later_epochs.value)


def whole_ticks(epochs: pd.Series) -> list[int]:
    """Up to about ten whole epochs."""
    return list(range(0, int(epochs.max()) + 1, max(1, int(nice_step(epochs.max() / 10)))))
