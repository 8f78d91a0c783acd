"""A report in a folder: a self-contained page, its figures as PNG, and the runs as CSV."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import altair as alt
import jinja2
import pandas as pd
import vl_convert

from vaesweep.files import atomically
from vaesweep.report import evaluations
from vaesweep.report.answer import answer, command, provenance
from vaesweep.report.best_settings import LOWER_IS_BETTER, best
from vaesweep.report.collection import RunCollection
from vaesweep.report.diagnostics import diagnostics
from vaesweep.report.differences import Differences
from vaesweep.report.examples import STRIPS, Examples, examples
from vaesweep.report.learning_curves import learning_curves
from vaesweep.report.linear_optimum_chart import linear_optimum
from vaesweep.report.penalty_chart import penalty
from vaesweep.report.per_dimension_chart import latent_dimensions
from vaesweep.report.plane_chart import plane
from vaesweep.report.report_figure import ReportFigure
from vaesweep.report.slope_chart import slope
from vaesweep.report.slopes import slopes
from vaesweep.report.tables import metric_names, summary, table

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
FOOTNOTE = (
    "* Lowest on the validation images, or not clearly above that on the test images: the 95 % interval of the "
    "difference includes zero. The interval covers the test images and, where a setting has two runs or more, seeds. "
    "Ranked are only settings of the same data, likelihood and conditioning on the label; a sparse code wider than "
    "every other model's is ranked only with others like it."
)
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
    figures: dict[str, ReportFigure]
    examples: dict[str, Examples]
    measurements: pd.DataFrame
    absences: list[str]
    differences: Differences
    origin: list[str] = field(default_factory=list)

    @property
    def title(self) -> str:
        return " and ".join(self.studies)

    @property
    def files(self) -> int:
        """Number of files that `write` writes."""
        return len(self.figures) + len(self.examples) + 2

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
    figures = {
        "plane": plane(frame, means) if means.rate.count() > 1 else None,
        "slope": slope(frame, slopes(frame, runs)),
        "linear_optimum": linear_optimum(frame, runs),
        "dimensions": latent_dimensions(frame, runs),
        "penalty": penalty(frame),
        "scores": evaluations.scores(frame, runs),
        "robustness": evaluations.robustness(frame, runs),
        "curves": learning_curves(frame, runs),
    }
    messages = [*collection.warnings, *diagnostics(frame, runs)]
    measurements, absences = evaluations.side_by_side(frame, runs), evaluations.absences(frame, runs)
    figures_with_content = {name: figure for name, figure in figures.items() if figure is not None}
    run_table = frame.join(evaluations.values_by_run(runs))
    origin = [*provenance(runs), command([run.results.overrides for run in runs])]
    return Report(
        collection.studies,
        run_table,
        means,
        messages,
        figures_with_content,
        examples(frame, runs),
        measurements,
        absences,
        Differences(frame, runs),
        origin,
    )


def write(content: Report, folder: Path) -> Iterator[Path]:
    """Write the report's files, each atomically, and yield their names."""
    for name, figure in content.figures.items():
        picture = vl_convert.vegalite_to_png(figure.picture().to_json(), vl_version=VEGA_LITE, scale=2)
        with atomically(folder / f"{name}.png") as path:
            path.write_bytes(picture)
        yield folder / f"{name}.png"
    for name, strips in content.examples.items():
        with atomically(folder / f"{name}.png") as path:
            strips.figure().savefig(path, format="png", dpi=130)
        yield folder / f"{name}.png"
    with atomically(folder / RUNS) as path:
        content.runs.to_csv(path, index=False)
    yield folder / RUNS
    with atomically(folder / PAGE) as path:
        path.write_text(page(content), encoding="utf-8")
    yield folder / PAGE


def page(content: Report) -> str:
    """The report as one HTML file that loads nothing from elsewhere."""
    source = jinja2.FileSystemLoader(Path(__file__).parent)
    rows = cells(content.means, content.differences)
    template = jinja2.Environment(loader=source, autoescape=True, trim_blocks=True).get_template("page.html")
    return template.render(
        title=content.title,
        studies={name: path.resolve().name for name, path in content.studies.items()},
        completed=int((content.runs.status == "completed").sum()),
        total=len(content.runs),
        answer=answer(content.means, content.differences),
        origin=content.origin,
        diagnostics=content.diagnostics,
        columns=content.columns,
        error_note=error_note(content.means),
        footnote=FOOTNOTE if any(cell.best for row in rows for cell in row) else "",
        rows=rows,
        measurements=content.measurements.to_numpy().tolist(),
        settings=list(content.measurements.columns[len(evaluations.KEYS) :]),
        absences=content.absences,
        figures=content.figures,
        specs={name: figure.specs() for name, figure in content.figures.items()},
        examples=content.examples,
        strip_heads=STRIPS,
        vega=vl_convert.javascript_bundle("window.vegaEmbed = vegaEmbed;", vl_version=VEGA_LITE),
    )


def error_note(means: pd.DataFrame) -> str:
    """What stands behind ± in the table of settings."""
    if (means.n > 1).all():
        return "± is the standard error over seeds."
    if (means.n == 1).all():
        return "± is the standard error over the test images; with one seed, how seeds vary is not known."
    return "± is the standard error over seeds; where a setting has one seed, over the test images."


@dataclass
class Cell:
    """A value in the table: as text, to sort by (None where there is no value), and whether it is marked as lowest."""

    text: str
    order: float | None
    best: bool = False


def present_metrics(means: pd.DataFrame) -> list[str]:
    """The metrics that any setting has."""
    return [name for name in metric_names(means) if means[name].notna().any()]


def cells(means: pd.DataFrame, differences: Differences) -> list[list[Cell]]:
    """One row per setting: mean ± standard error, see `summary`; see `best` for the marks."""
    columns = [metric_cells(means, name, differences) for name in present_metrics(means)]
    return [
        [Cell(setting.setting, i), Cell(str(setting.n), setting.n), *values]
        for i, (setting, values) in enumerate(zip(means.itertuples(), zip(*columns, strict=True), strict=True))
    ]


def metric_cells(means: pd.DataFrame, name: str, differences: Differences) -> list[Cell]:
    """The column of a metric."""
    digits = DIGITS.get(name, 2)
    marks = best(means, name, differences) if name in LOWER_IS_BETTER else [False] * len(means)
    rows = zip(means[name], means[f"{name}_se"], marks, strict=True)
    return [metric_cell(value, spread, digits, bool(mark)) for value, spread, mark in rows]


def metric_cell(value: float, spread: float, digits: int, mark: bool) -> Cell:
    """A mean and its standard error, if it has one."""
    if pd.isna(value):
        return Cell("", None)
    error = "" if pd.isna(spread) else f" ± {spread:.{digits}f}"
    return Cell(f"{value:.{digits}f}{error}", float(value), mark)
