"""Figure of linear runs beside their exact rate-distortion curve."""

from collections.abc import Sequence

import altair as alt
import pandas as pd

from vaesweep.report.chart_style import DARK, HEIGHT, NATS, numbers, padded_limits, series_scale
from vaesweep.report.read_run import Run
from vaesweep.report.report_figure import ReportFigure

MEASURE = "linear_optimum"
CAPTION = (
    "Points are runs on their training images, without noise. The line is the least distortion that a linear network "
    "can have at a rate: reverse water-filling over the eigenvalues of the images' covariance. A point above it was "
    "not trained to its optimum."
)


def linear_optimum(frame: pd.DataFrame, runs: Sequence[Run]) -> ReportFigure | None:
    """Distortion over rate of each run that was measured, and the exact curve."""
    points, curves = [], []
    for row in frame.itertuples():
        evaluation = runs[row.Index].evaluation
        entry = evaluation.measures.get(MEASURE, {}) if evaluation else {}
        if not entry.get("values"):
            continue
        values = {name: float(value["value"]) for name, value in entry["values"].items()}
        points.append({"run": row.run, "setting": row.setting, "series": row.series, "beta": row.beta} | values)
        curve = pd.DataFrame(entry["series"])[["beta", "rate", "distortion"]]
        curves.append(curve.assign(curve=f"{row.series} {curve.distortion[0]:.3f}"))
    if not points:
        return None
    measured, exact = pd.DataFrame(points), pd.concat(curves).drop_duplicates(["curve", "beta"])
    x_range, y_range = padded_limits(measured.rate, minimum=0.0), padded_limits(measured.distortion)
    x = alt.X("rate:Q", title=f"rate R = KL ({NATS})", scale=alt.Scale(domain=x_range, nice=False))
    y = alt.Y("distortion:Q", title=f"distortion D ({NATS})", scale=alt.Scale(domain=y_range, nice=False))
    colour, shape, legend = series_scale(frame.series.unique(), measured.series)
    tip = ["run", "setting", *numbers("rate", "optimal_rate", "distortion", "optimal_distortion", "excess")]
    labels = alt.Chart(measured.assign(text=measured.excess.map("+{:.2f}".format)))
    layers = [
        alt.Chart(exact)
        .mark_line(color=DARK, strokeWidth=1.5, clip=True)
        .encode(x, y, order="beta:Q", detail="curve:N"),
        alt.Chart(measured).mark_point(filled=True, size=60).encode(x, y, colour, shape, tooltip=tip),
        labels.mark_text(align="left", dx=8, dy=-9, color=DARK).encode(x, y, alt.Text("text:N")),
    ]
    caption = f"{CAPTION} The numbers are the excess of the loss over the optimum, in nats."
    return ReportFigure("Against the exact optimum", caption, [alt.layer(*layers, height=HEIGHT)], legend)
