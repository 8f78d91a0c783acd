"""A report in a folder: a self-contained page, its figures as PNG, and the runs as CSV."""

import base64
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import altair as alt
import jinja2
import pandas as pd
import vl_convert
from matplotlib.figure import Figure

from vaesweep.files import atomically
from vaesweep.report import charts, evaluations, plane
from vaesweep.report.answer import answer, command, provenance
from vaesweep.report.collection import RunCollection
from vaesweep.report.diagnostics import diagnostics
from vaesweep.report.examples import examples
from vaesweep.report.tables import COMPARABLE, LOWER_IS_BETTER, metric_names, slopes, summary, table

PAGE, RUNS = "index.html", "runs.csv"
DIGITS = {"mse": 4, "active_units": 1, "seconds": 1}
"""Decimals of a metric, where not 2."""
HEADS = {
    "distortion": "distortion (nats)",
    "rate": "KL (nats)",
    "nelbo": "nelbo (nats)",
    "mse": "mse per pixel",
    "active_units": "active dims",
    "overfit_gap": "test - train (nats)",
    "seconds": "seconds",
}
SECTIONS = (
    (
        "slope",
        "The slope test",
        "What a nat of rate buys at the margin, between neighbouring betas. At the optimum of D + beta R it is beta: a "
        "slope outside its box was trained too short, or stuck.",
    ),
    (
        "dimensions",
        "What each latent dimension carries",
        "KL by dimension, sorted; dark is a dimension that equals its prior and says nothing.",
    ),
    (
        "penalty",
        "Models without a rate",
        "They pay in other units, so only mse, distortion and their own penalty compare.",
    ),
    (
        "scores",
        "Disentanglement",
        "Whether each factor of the data has a dimension of its own; 1 is best.",
    ),
    (
        "robustness",
        "Robustness to noise",
        "How much of the clean image comes back from a noisy one; up is better.",
    ),
    (
        "curves",
        "Learning curves",
        "Validation is scored with the final weight of the penalty, training with its schedule.",
    ),
)
"""Name, heading and caption of the charts below the table."""
TYPE: dict[str, Any] = {
    "axis": {"labelFontSize": 13, "titleFontSize": 13},
    "legend": {"labelFontSize": 13, "titleFontSize": 13},
    "title": {"fontSize": 14, "subtitleFontSize": 13},
}
"""Sizes of the type in charts."""
VEGA_LITE = ".".join(alt.SCHEMA_VERSION.split(".")[:2])


@dataclass
class Report:
    """Content of a report: tables with a row per run and a row per setting, diagnostics, and figures by name.

    `measurements` has a row per value of the evaluations, and `absences` are the reasons for missing values.
    """

    studies: dict[str, Path]
    runs: pd.DataFrame
    means: pd.DataFrame
    diagnostics: list[str]
    charts: dict[str, alt.TopLevelMixin]
    pictures: dict[str, Figure]
    measurements: pd.DataFrame
    absences: list[str]
    origin: list[str] = field(default_factory=list)

    @property
    def title(self) -> str:
        return " and ".join(self.studies)

    @property
    def files(self) -> int:
        """Number of files that `write` writes."""
        return len(self.charts) + len(self.pictures) + 2

    @property
    def columns(self) -> list[str]:
        """The heads of the table of settings."""
        units = self.means.attrs["penalties"]
        heads = {name: f"{name} ({unit})" for name, unit in units.items()} | HEADS
        return ["setting", "runs", *(heads[name] for name in present_metrics(self.means))]


def report(collection: RunCollection) -> Report:
    """The report on a collection of runs; figures with nothing to draw are left out."""
    runs, frame = collection.runs, table(collection.runs)
    means = summary(frame)
    all_charts = {
        "plane": plane.plane(frame, means),
        "slope": plane.slope(frame, slopes(frame, runs)),
        "penalty": charts.penalty(frame),
        "dimensions": charts.dimensions(frame, runs),
        "scores": evaluations.scores(frame, runs),
        "robustness": evaluations.robustness(frame, runs),
        "curves": charts.curves(frame, runs),
    }
    pictures = dict(examples(frame, runs))
    messages = [*collection.warnings, *diagnostics(frame, runs)]
    measurements, absences = evaluations.side_by_side(frame, runs), evaluations.absences(frame, runs)
    charts_by_name = {name: chart for name, chart in all_charts.items() if chart is not None}
    run_table = frame.join(evaluations.values_by_run(runs))
    origin = [*provenance(runs), command([run.results.overrides for run in runs])]
    return Report(
        collection.studies, run_table, means, messages, charts_by_name, pictures, measurements, absences, origin
    )


def write(content: Report, folder: Path) -> Iterator[Path]:
    """Write the report's files, each atomically, and yield their names."""
    for name, chart in content.charts.items():
        picture = vl_convert.vegalite_to_png(chart.configure(**TYPE).to_json(), vl_version=VEGA_LITE, scale=2)
        with atomically(folder / f"{name}.png") as path:
            path.write_bytes(picture)
        yield folder / f"{name}.png"
    for name, figure in content.pictures.items():
        with atomically(folder / f"{name}.png") as path:
            figure.savefig(path, format="png", dpi=130)
        yield folder / f"{name}.png"
    with atomically(folder / RUNS) as path:
        content.runs.to_csv(path, index=False)
    yield folder / RUNS
    with atomically(folder / PAGE) as path:
        path.write_text(page(content, {name: (folder / f"{name}.png").read_bytes() for name in content.pictures}))
    yield folder / PAGE


def page(content: Report, pictures: dict[str, bytes]) -> str:
    """The report as one HTML file that loads nothing from elsewhere."""
    source = jinja2.FileSystemLoader(Path(__file__).parent)
    template = jinja2.Environment(loader=source, autoescape=True, trim_blocks=True).get_template("page.html")
    return template.render(
        title=content.title,
        studies={name: path.resolve().name for name, path in content.studies.items()},
        completed=int((content.runs.status == "completed").sum()),
        total=len(content.runs),
        answer=answer(content.means),
        origin=content.origin,
        diagnostics=content.diagnostics,
        columns=content.columns,
        rows=cells(content.means),
        measurements=content.measurements.to_numpy().tolist(),
        settings=list(content.measurements.columns[len(evaluations.KEYS) :]),
        absences=content.absences,
        sections=SECTIONS,
        charts={name: chart.configure(**TYPE).to_dict() for name, chart in content.charts.items()},
        pictures={name: base64.b64encode(data).decode() for name, data in pictures.items()},
        vega=vl_convert.javascript_bundle("window.vegaEmbed = vegaEmbed;", vl_version=VEGA_LITE),
    )


@dataclass
class Cell:
    """A value in the table: as text, to sort by, and whether it is the best of its column."""

    text: str
    order: float | str
    best: bool = False


def present_metrics(means: pd.DataFrame) -> list[str]:
    """The metrics that any setting has."""
    return [name for name in metric_names(means) if means[name].notna().any()]


def cells(means: pd.DataFrame) -> list[list[Cell]]:
    """One row per setting: mean ± standard deviation over its runs; the lowest of those that compare is marked."""
    groups = means.groupby(list(COMPARABLE))[list(LOWER_IS_BETTER)]
    best = groups.transform("min").where(groups.transform("count") > 1)  # one alone is not ranked
    rows = []
    for index, setting in means.iterrows():
        row = [Cell(setting.setting, int(index)), Cell(str(setting.n), int(setting.n))]
        for name in present_metrics(means):
            value, spread, digits = setting[name], setting[f"{name}_sd"], DIGITS.get(name, 2)
            text = (
                "" if pd.isna(value) else f"{value:.{digits}f}" + ("" if pd.isna(spread) else f" ± {spread:.{digits}f}")
            )
            row.append(
                Cell(
                    text, -1e300 if pd.isna(value) else float(value), name in best and bool(value == best[name][index])
                )
            )
        rows.append(row)
    return rows
