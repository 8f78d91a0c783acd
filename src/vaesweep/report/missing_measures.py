"""Measures that a report shows and that runs lack."""

from collections.abc import Sequence
from pathlib import Path

from vaesweep.records.flat_config import flat
from vaesweep.report import beta_range_curves, linear_optimum_chart
from vaesweep.report.beta_range_curves import has_curve_of_its_own
from vaesweep.report.read_run import Run


def missing_measures(runs: Sequence[Run]) -> dict[str, list[Path]]:
    """The folders of the runs that lack a measure, by its name; none for a measure that no run lacks."""
    lacking = {linear_optimum_chart.MEASURE: lacks_linear_optimum, beta_range_curves.MEASURE: lacks_curve}
    folders = {name: [run.folder for run in runs if lacks(run)] for name, lacks in lacking.items()}
    return {name: listed for name, listed in folders.items() if listed}


def lacks_curve(run: Run) -> bool:
    """Whether a run has a curve that was not measured."""
    known = run.evaluation.measures if run.evaluation else {}
    return has_curve_of_its_own(run) and beta_range_curves.MEASURE not in known


def lacks_linear_optimum(run: Run) -> bool:
    """Whether a run is completed, linear by its configuration, and not measured against its optimum."""
    settings, measures = flat(run.results.config), run.evaluation.measures if run.evaluation else {}
    is_gaussian = str(settings.get("model.likelihood._target_")).endswith(".Gaussian")
    is_linear = settings.get("network.hidden") == [] and is_gaussian and run.results.rate_weight is not None
    return is_linear and run.results.status == "completed" and linear_optimum_chart.MEASURE not in measures
