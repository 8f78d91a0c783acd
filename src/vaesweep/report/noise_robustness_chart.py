"""Figure of the quality of reconstructions from noisy images."""

from collections.abc import Sequence

import altair as alt
import pandas as pd

from vaesweep.report.chart_style import PANEL, numbers, series_scale
from vaesweep.report.evaluation_table import display_name, measures
from vaesweep.report.read_run import Run
from vaesweep.report.report_figure import ReportFigure


def noise_robustness(frame: pd.DataFrame, runs: Sequence[Run]) -> ReportFigure | None:
    """PSNR of reconstructions from noisy images by noise level, a line per setting, means over its runs."""
    rows = [
        {"setting": row.setting, "level": level, "psnr": psnr, "noise": noise}
        for row in frame.itertuples()
        for measure, entry in measures(runs[row.Index])
        if measure == "noise_robustness" and entry["series"]
        for noise in entry["settings"]["corruptions"]
        for level, psnr in zip(entry["series"]["level"], entry["series"][noise], strict=True)
    ]
    levels = pd.DataFrame(rows, columns=["setting", "level", "psnr", "noise"])
    levels = levels[levels.groupby("noise")["level"].transform("nunique") > 1]
    if levels.empty:
        return None
    means = levels.groupby(["noise", "setting", "level"], sort=False).psnr.mean().reset_index()
    colour, shape, legend = series_scale(means.setting.unique(), means.setting, "setting")
    panels = [
        alt.Chart(part, height=260)
        .mark_line(point=alt.OverlayMarkDef(size=50, filled=True))
        .encode(
            alt.X("level:Q", title=f"level of {display_name(noise)} noise", axis=alt.Axis(tickCount=6)),
            alt.Y("psnr:Q", title="PSNR to the clean image (dB)", scale=alt.Scale(zero=False)),
            colour,
            shape,
            tooltip=["setting", "level", *numbers("psnr")],
        )
        for noise, part in means.groupby("noise", sort=False)
    ]
    caption = "How much of the clean image comes back from a noisy one, means over seeds; up is better."
    return ReportFigure("Robustness to noise", caption, panels, legend, PANEL)
