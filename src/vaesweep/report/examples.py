"""Reconstructions and samples of runs, side by side."""

from collections.abc import Iterator, Sequence
from contextlib import suppress

import matplotlib.image
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from vaesweep.report.collection import Run

MAX_SETTINGS = 24
"""Most settings shown per dataset."""


def examples(frame: pd.DataFrame, runs: Sequence[Run]) -> Iterator[tuple[str, Figure]]:
    """(name, figure) for each dataset: originals, then a row per setting, of its first completed seed."""
    completed = frame[[frame.status[i] == "completed" and bool(runs[i].examples) for i in frame.index]]
    for data, part in completed.groupby("data", sort=False):
        settings = part.drop_duplicates("setting")
        rows = [(row.setting, row.seed, runs[row.Index]) for row in settings.head(MAX_SETTINGS).itertuples()]
        note = f" ({len(settings)} settings, the first {MAX_SETTINGS} shown)" if len(settings) > MAX_SETTINGS else ""
        yield (
            f"examples_{data}",
            strips([(f"{name}, seed {seed}", run) for name, seed, run in rows], f"{data}{note}"),
        )


def strips(rows: Sequence[tuple[str, Run]], title: str) -> Figure:
    """One row per run: its reconstructions of the same validation images, and its samples from the same draws."""
    columns = (
        ("reconstructions", "samples") if any("samples" in run.examples for _, run in rows) else ("reconstructions",)
    )
    figure = Figure(figsize=(2 + 5 * len(columns), 0.62 * (len(rows) + 1) + 0.7), layout="constrained")
    grid = figure.subplots(len(rows) + 1, len(columns), squeeze=False)
    figure.suptitle(
        f"{title}: validation images, and E[x|z] for z drawn from the prior" if columns[1:] else title, fontsize=11
    )
    for axes in grid.flat:
        axes.axis("off")
    show_strip(grid[0, 0], rows[0][1], "originals", "originals")
    if columns[1:]:
        grid[0, 1].set_title("samples from the prior", y=0, fontsize=9)
    for row, (name, run) in zip(grid[1:], rows, strict=True):
        for axes, column in zip(row, columns, strict=True):
            show_strip(axes, run, column, name if column == "reconstructions" else "")
    return figure


def show_strip(axes: Axes, run: Run, strip: str, label: str) -> None:
    """One of a run's strips, if it has that, labelled on the left."""
    if strip in run.examples:
        with suppress(OSError, SyntaxError, ValueError):  # a truncated picture
            axes.imshow(matplotlib.image.imread(run.examples[strip]), interpolation="nearest")
        axes.text(-0.02, 0.5, label, transform=axes.transAxes, ha="right", va="center", fontsize=9)
