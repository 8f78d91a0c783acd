"""The runs of a study for notebooks: tables as DataFrames, the rate-distortion plane as a chart."""

from collections.abc import Sequence
from pathlib import Path

import altair as alt
import pandas as pd

from vaesweep.errors import ConfigError
from vaesweep.report.beta_range_curves import curves
from vaesweep.report.diagnostics import diagnostics
from vaesweep.report.rate_distortion_plane_chart import plane
from vaesweep.report.read_run import Run
from vaesweep.report.run_collection import read
from vaesweep.report.run_tables import summary, table


class Study:
    """The runs in and below some folders, and `warnings`: what cannot be read, and what to look at before a conclusion.

    Rates and distortions are test means in nats per image. Raises `ConfigError` where there is no run.
    """

    def __init__(self, folders: Sequence[Path]) -> None:
        collection = read(list(folders))
        self.folders = collection.studies
        self.runs: list[Run] = collection.runs
        if not self.runs:
            raise ConfigError("study", "; ".join(collection.warnings), "folders of studies or of runs")
        self.warnings: list[str] = [*collection.warnings, *diagnostics(self.frame(), self.runs)]

    def __repr__(self) -> str:
        return f"Study({', '.join(self.folders)}: {len(self.runs)} runs, {len(self.warnings)} warnings)"

    def frame(self) -> pd.DataFrame:
        """One row per run, sorted by its settings: settings, status, test metrics; the index is its place in `runs`."""
        return table(self.runs)

    def means(self) -> pd.DataFrame:
        """One row per setting over its completed runs: mean and standard error `_se` of each metric."""
        return summary(self.frame())

    def plane(self) -> alt.TopLevelMixin:
        """The rate-distortion plane: runs as points, means over seeds on lines over beta.

        `save("plane.png")` needs no network, nor does `save("plane.html", inline=True)`; without `inline` the page
        loads its scripts from one.
        Raises `ConfigError` where no completed run has a rate.
        """
        frame = self.frame()
        panels = plane(frame, summary(frame), curves(frame, self.runs))
        if panels is None:
            raise ConfigError("study", "no completed run with a rate", "a study with a model that declares a rate")
        return panels.picture()
