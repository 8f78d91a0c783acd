"""The table of settings as text: a mean with its error in each cell, and a mark at the lowest."""

from dataclasses import dataclass

import pandas as pd

from vaesweep.report.lowest_within_error import LOWER_IS_BETTER, best
from vaesweep.report.metric_differences import Differences
from vaesweep.report.number_format import with_error
from vaesweep.report.run_tables import metric_names

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
    "* The lowest of its column on the validation images, or not distinguishable from it on the test images: the 95 % "
    "interval of the difference includes zero. The interval covers the test images and, where a setting has two runs "
    "or more, the seeds. Only settings of the same data, likelihood and conditioning on the label are ranked "
    "together. A sparse code that is wider than the codes of all other models is ranked with other such codes alone."
)


def notes(means: pd.DataFrame) -> list[str]:
    """What stands behind ± in the table of settings, and at which weight a model for a range of weights is."""
    if means.empty:
        return []
    ranges = means[means.has_range & means.beta.notna()]
    weights = [f"{row.setting} is shown at beta {row.beta:g}" for row in ranges.itertuples()]
    one_of_many = f"Trained for a range of betas: {', '.join(weights)}; the rate-distortion plane shows the curve."
    return [error_note(means), *[one_of_many] * (len(ranges) > 0)]


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


def heads(means: pd.DataFrame) -> list[str]:
    """The heads of the columns."""
    names = {name: f"{name} ({unit})" for name, unit in means.attrs["penalties"].items()} | HEADS
    return ["setting", "runs", *(names[name] for name in present_metrics(means))]


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
    return Cell(with_error(value, spread, digits), float(value), mark)
