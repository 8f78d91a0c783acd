"""Reconstructions and samples of runs, side by side."""

from collections.abc import Iterator, Sequence
from contextlib import suppress

import matplotlib.image
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from vaesweep.report.collection import Run

MOST = 24
"""Most settings shown per dataset."""


def examples(frame: pd.DataFrame, runs: Sequence[Run]) -> Iterator[tuple[str, Figure]]:
    """(name, figure) for each dataset: originals, then a row per setting, of its first completed seed."""
    completed = frame[[frame.status[i] == "completed" and bool(runs[i].examples) for i in frame.index]]
    for data, part in completed.groupby("data", sort=False):
        chosen = part.drop_duplicates("setting")
        shown = [(row.setting, row.seed, runs[row.Index]) for row in chosen.head(MOST).itertuples()]
        more = f" ({len(chosen)} settings, the first {MOST} shown)" if len(chosen) > MOST else ""
        yield (
            f"examples_{data}",
            strips([(f"{name}, seed {seed}", run) for name, seed, run in shown], f"{data}{more}"),
        )


def strips(named: Sequence[tuple[str, Run]], title: str) -> Figure:
    """One row per run: its reconstructions of the same validation images, and its samples from the same draws."""
    columns = (
        ("reconstructions", "samples") if any("samples" in run.examples for _, run in named) else ("reconstructions",)
    )
    figure = Figure(figsize=(2 + 5 * len(columns), 0.62 * (len(named) + 1) + 0.7), layout="constrained")
    grid = figure.subplots(len(named) + 1, len(columns), squeeze=False)
    figure.suptitle(
        f"{title}: validation images, and E[x|z] for z drawn from the prior" if columns[1:] else title, fontsize=11
    )
    for axes in grid.flat:
        axes.axis("off")
    show(grid[0, 0], named[0][1], "originals", "originals")
    if columns[1:]:
        grid[0, 1].set_title("samples from the prior", y=0, fontsize=9)
    for row, (name, run) in zip(grid[1:], named, strict=True):
        for axes, column in zip(row, columns, strict=True):
            show(axes, run, column, name if column == "reconstructions" else "")
    return figure


def show(axes: Axes, run: Run, strip: str, label: str) -> None:
    """One of a run's strips, if it has that, labelled on the left."""
    if strip in run.examples:
        with suppress(OSError, SyntaxError, ValueError):  # a truncated picture
            axes.imshow(matplotlib.image.imread(run.examples[strip]), interpolation="nearest")
        axes.text(-0.02, 0.5, label, transform=axes.transAxes, ha="right", va="center", fontsize=9)
