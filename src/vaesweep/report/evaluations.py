"""Measured values of runs side by side: one row per value, one column per setting."""

import json
from collections.abc import Sequence

import altair as alt
import numpy as np
import pandas as pd

from vaesweep.report.chart_style import PANEL, numbers, panel_title, series_scale
from vaesweep.report.read_run import Run
from vaesweep.report.report_figure import ReportFigure

KEYS = ["measure", "value", "unit"]
ACRONYMS = {"dci", "kl", "l0", "mig", "mse", "nll", "pca", "psnr", "sap", "ssim", "svc", "vae"}


def measure_table(frame: pd.DataFrame, runs: Sequence[Run]) -> pd.DataFrame:
    """One row per value of a run: `setting`, `series`, `beta`, KEYS and `number`, in the order measured."""
    rows = [
        {"setting": row.setting, "series": row.series, "beta": row.beta}
        | {"measure": measure, "value": name, "unit": entry_value["unit"], "number": entry_value["value"]}
        for row in frame.itertuples()
        for measure, entry in measures(runs[row.Index])
        for name, entry_value in entry["values"].items()
    ]
    return pd.DataFrame(rows, columns=["setting", "series", "beta", *KEYS, "number"])


def values_by_run(runs: Sequence[Run]) -> pd.DataFrame:
    """One row per run, by its place in `runs`: a column MEASURE/VALUE per measured value."""
    return pd.DataFrame([run.evaluation.flat() if run.evaluation else {} for run in runs], index=range(len(runs)))


def side_by_side(frame: pd.DataFrame, runs: Sequence[Run]) -> pd.DataFrame:
    """Mean ± standard error over the runs of a setting, as text: columns KEYS and the settings, "" where absent."""
    long = measure_table(frame, runs)
    if long.empty:
        return pd.DataFrame(columns=KEYS)
    groups = long.groupby([*KEYS, "setting"], sort=False).number
    texts = groups.agg(lambda part: format_value(part.mean(), part.sem()))
    order = {measure: i for i, measure in enumerate(all_measures(runs))}
    value_table = texts.unstack("setting").reindex(
        columns=list(dict.fromkeys(frame.setting[frame.setting.isin(long.setting)]))
    )
    rank = {key: i for i, key in enumerate(dict.fromkeys(long[KEYS].itertuples(index=False, name=None)))}
    value_table = (
        value_table.loc[sorted(value_table.index, key=lambda key: (order[key[0]], rank[key]))].fillna("").reset_index()
    )
    return value_table.assign(value=value_table.value.map(display_name))


def measures(run: Run) -> list[tuple[str, dict]]:
    """Name and recorded entry of each measure of a run."""
    return list(run.evaluation.measures.items()) if run.evaluation else []


def all_measures(runs: Sequence[Run]) -> list[str]:
    """Names of all measures, in the order in which they were taken."""
    return list(dict.fromkeys(name for run in runs for name, _ in measures(run)))


def scores(frame: pd.DataFrame, runs: Sequence[Run]) -> ReportFigure | None:
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


def robustness(frame: pd.DataFrame, runs: Sequence[Run]) -> ReportFigure | None:
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


def display_name(name: str) -> str:
    """A value's name for display."""
    return " ".join(word.upper() if word in ACRONYMS else word for word in name.split("_"))


def format_value(mean: float, spread: float) -> str:
    """A number to about three significant digits, and its spread to as many decimals."""
    digits = 4 if 0 < abs(mean) < 0.1 else 3 if 0 < abs(mean) <= 1 else 2 if abs(mean) < 100 else 1
    return f"{mean:.{digits}f}" + ("" if np.isnan(spread) else f" ± {spread:.{digits}f}")


def absences(frame: pd.DataFrame, runs: Sequence[Run]) -> list[str]:
    """Reasons for missing values, one per line with its settings, and measures that do not compare."""
    settings_by_reason: dict[tuple[str, str], dict[str, None]] = {}
    for row in frame.itertuples():
        for measure, entry in measures(runs[row.Index]):
            for name, reason in entry["absent"].items():
                subject = measure if name == measure else f"{measure} {name}"
                settings_by_reason.setdefault((subject, reason), {})[row.setting] = None
    setting_count = len(set(frame.setting[[runs[i].evaluation is not None for i in frame.index]]))
    lines = inconsistencies(runs)
    for (subject, reason), settings in settings_by_reason.items():
        scope = "" if len(settings) == setting_count else f" ({', '.join(settings)})"
        lines.append(f"{subject}{scope}: {reason}")
    return lines


def inconsistencies(runs: Sequence[Run]) -> list[str]:
    """Measures that were not taken alike in all runs, one per line."""
    lines = []
    for measure in all_measures(runs):
        entries = [(run.evaluation, entry) for run in runs for name, entry in measures(run) if name == measure]
        methods = {json.dumps([e.checkpoint, e.seed, entry["settings"]]) for e, entry in entries if e}
        if len(methods) > 1:
            lines.append(f"{measure}: not measured alike in all runs: {' | '.join(sorted(methods))}")
    return lines


def markdown(value_table: pd.DataFrame, reasons: Sequence[str]) -> str:
    """The table and the reasons, as Markdown."""
    heads = list(value_table.columns)
    rows = [heads, ["---", "---", "---", *["--:"] * (len(heads) - 3)], *value_table.to_numpy().tolist()]
    lines = ["| " + " | ".join(str(cell).replace("|", r"\|") for cell in row) + " |" for row in rows]
    return "\n".join([*lines, "", *(f"- {reason}" for reason in reasons), ""])
