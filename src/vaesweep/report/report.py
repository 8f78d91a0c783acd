"""A report in a folder: a self-contained page, its figures as PNG, and the runs as CSV."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import jinja2
import pandas as pd
import vl_convert

from vaesweep.atomic_files import atomically
from vaesweep.report.beta_range_curves import curves
from vaesweep.report.beta_range_difference_chart import whole_curve
from vaesweep.report.conclusions import conclusions
from vaesweep.report.diagnostics import diagnostics
from vaesweep.report.disentanglement_chart import disentanglement
from vaesweep.report.evaluation_table import KEYS, absences, cautions, side_by_side, values_by_run
from vaesweep.report.examples import STRIPS, Examples, examples
from vaesweep.report.learning_curve_chart import learning_curves
from vaesweep.report.linear_optimum_chart import linear_optimum
from vaesweep.report.metric_differences import Differences
from vaesweep.report.metrics_table import FOOTNOTE, cells, heads, notes
from vaesweep.report.noise_robustness_chart import noise_robustness
from vaesweep.report.per_dimension_chart import latent_dimensions
from vaesweep.report.rate_distortion_plane_chart import plane
from vaesweep.report.rate_distortion_slope_chart import slope
from vaesweep.report.rate_distortion_slopes import slopes
from vaesweep.report.read_run import Run
from vaesweep.report.reconstruction_penalty_chart import penalty
from vaesweep.report.report_figure import ReportFigure
from vaesweep.report.run_collection import RunCollection
from vaesweep.report.run_tables import summary, table
from vaesweep.report.search_chart import search_figure
from vaesweep.report.subtitle import data_and_training
from vaesweep.report.training_command import command
from vaesweep.report.vega_bundle import VEGA_LITE, vega_bundle

PAGE, RUNS = "index.html", "runs.csv"


@dataclass
class Report:
    """Content of a report: its first sentences, tables with a row per run and a row per setting, diagnostics, and
    figures by name.

    `measurements` has a row per value of the evaluations, `cautions` say how far they can be trusted, and
    `absences` why some are missing.
    """

    studies: dict[str, Path]
    headline: str
    runs: pd.DataFrame
    means: pd.DataFrame
    diagnostics: list[str]
    figures: dict[str, ReportFigure]
    examples: dict[str, Examples]
    measurements: pd.DataFrame
    cautions: list[str]
    absences: list[tuple[str, str]]
    differences: Differences
    origin: list[str] = field(default_factory=list)

    @property
    def title(self) -> str:
        return " and ".join(self.studies)

    @property
    def files(self) -> int:
        """Number of files that `write` writes."""
        return len(self.figures) + len(self.examples) + 2


def report(collection: RunCollection) -> Report:
    """The report on a collection of runs; figures with nothing to draw are left out."""
    runs, frame = collection.runs, table(collection.runs)
    means = summary(frame)
    # of the many trials of a search the best are shown one by one
    best = frame.loc[[i for i in frame.index if is_shown_alone(runs[i], collection)]]
    curve_rows = curves(frame, runs)
    searches = [search_figure(record) for record in collection.searches.values()]
    figures = {
        **{f"search{n or ''}": figure for n, figure in enumerate(searches)},
        "plane": plane(frame, means, curve_rows) if means.rate.count() + len(curve_rows) > 1 else None,
        "whole_curve": whole_curve(frame, runs, curve_rows),
        "slope": slope(frame, slopes(frame, runs)),
        "linear_optimum": linear_optimum(frame, runs),
        "dimensions": latent_dimensions(best, runs),
        "penalty": penalty(frame),
        "scores": disentanglement(frame, runs),
        "robustness": noise_robustness(frame, runs),
        "curves": learning_curves(best, runs),
    }
    messages = [*collection.warnings, *diagnostics(frame, runs)]
    figures_with_content = {name: figure for name, figure in figures.items() if figure is not None}
    run_table = frame.join(values_by_run(runs))
    origin = [*data_and_training(runs), command([run.results.overrides for run in runs])]
    differences = Differences(frame, runs)
    return Report(
        collection.studies,
        conclusions(means, differences, collection.searches, curve_rows),
        run_table,
        means,
        messages,
        figures_with_content,
        examples(best, runs),
        side_by_side(frame, runs),
        cautions(frame, runs),
        absences(frame, runs),
        differences,
        origin,
    )


def is_shown_alone(run: Run, collection: RunCollection) -> bool:
    """Whether a run is none of a search, or one of its best trials."""
    if not run.is_trial:
        return True
    record = collection.searches[run.study]
    return [run.results.metrics.get(name) for name in record.metrics] in [one["values"] for one in record.front()]


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
        headline=content.headline,
        origin=content.origin,
        diagnostics=content.diagnostics,
        columns=heads(content.means),
        notes=notes(content.means),
        footnote=FOOTNOTE if any(cell.best for row in rows for cell in row) else "",
        rows=rows,
        measurements=content.measurements.to_numpy().tolist(),
        settings=list(content.measurements.columns[len(KEYS) :]),
        cautions=content.cautions,
        absences=content.absences,
        figures=content.figures,
        specs={name: figure.specs() for name, figure in content.figures.items()},
        examples=content.examples,
        strip_heads=STRIPS,
        vega=vega_bundle(),
    )
