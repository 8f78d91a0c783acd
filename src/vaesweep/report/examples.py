"""Reconstructions and samples of runs, side by side."""

import base64
import re
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass

import matplotlib.image
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from PIL import Image

from vaesweep.report.read_run import Run

MAX_SETTINGS = 24
"""Most settings shown per dataset."""
STRIPS = {"reconstructions": "reconstructions", "samples": "samples from the prior"}
"""Strips of a run beside the originals, and what their columns are called."""
TYPE_SIZE = 11
"""Points."""


@dataclass(frozen=True)
class Examples:
    """Strips of images of the same validation images and of the same draws of the prior, a run per row with its label.

    `columns` are the strips that some run has.
    """

    title: str
    rows: Sequence[tuple[str, Run]]

    @property
    def columns(self) -> list[str]:
        return [name for name in STRIPS if any(name in run.examples for _, run in self.rows)]

    def encoded(self) -> list[tuple[str, dict[str, str]]]:
        """The originals and then each run: its label, and its strips by name as PNG in base64."""
        first = self.rows[0][1]
        strips = [("originals", {"reconstructions": "originals"}, first)]
        strips += [(label, {name: name for name in self.columns}, run) for label, run in self.rows]
        return [
            (label, {column: text for column, name in names.items() if (text := encode(run, name))})
            for label, names, run in strips
        ]

    def figure(self) -> Figure:
        """All strips as one picture."""
        columns = self.columns or ["reconstructions"]
        figure = Figure(figsize=(2.4 + 5 * len(columns), 0.62 * (len(self.rows) + 1) + 0.7), layout="constrained")
        grid = figure.subplots(len(self.rows) + 1, len(columns), squeeze=False)
        figure.suptitle(f"{self.title}: validation images and their reconstructions", fontsize=TYPE_SIZE + 1)
        for axes in grid.flat:
            axes.axis("off")
        show_strip(grid[0, 0], self.rows[0][1], "originals", "originals")
        for axes, column in zip(grid[0, 1:], columns[1:], strict=True):
            axes.text(0.5, 0.5, STRIPS[column], ha="center", va="center", fontsize=TYPE_SIZE)
        for row, (name, run) in zip(grid[1:], self.rows, strict=True):
            for axes, column in zip(row, columns, strict=True):
                show_strip(axes, run, column, name if column == columns[0] else "")
        return figure


def examples(frame: pd.DataFrame, runs: Sequence[Run]) -> dict[str, Examples]:
    """The strips of each dataset, by the name of their picture: a row per setting, of its first completed seed.

    Runs whose settings of the data differ may have other validation images: these are in a picture of their own.
    """
    completed = frame.loc[[i for i in frame.index if frame.status[i] == "completed" and runs[i].examples]]
    first = completed.drop_duplicates("setting")
    first = first.assign(originals=[pixels(runs[i], "originals") for i in first.index])
    strips_by_name = {}
    for data, part in first.groupby("data", sort=False):
        for number, (_, settings) in enumerate(part.groupby("originals", sort=False), start=1):
            rows = [
                (f"{row.setting}, seed {row.seed}", runs[row.Index]) for row in settings.head(MAX_SETTINGS).itertuples()
            ]
            others = f", images {number}" if number > 1 else ""
            note = f" (the first {MAX_SETTINGS} of {len(settings)} settings)" if len(settings) > MAX_SETTINGS else ""
            name = f"examples_{file_part(str(data))}{f'_{number}' if number > 1 else ''}"
            strips_by_name[name] = Examples(f"{data}{others}{note}", rows)
    return strips_by_name


def file_part(text: str) -> str:
    """`text` as a part of the name of a file."""
    return re.sub(r"[^\w.+=-]", "_", text)[:60]


def encode(run: Run, strip: str) -> str:
    """One of a run's strips in base64, "" where it has none that can be read."""
    try:
        return base64.b64encode(run.examples[strip].read_bytes()).decode()
    except (KeyError, OSError):
        return ""


def pixels(run: Run, strip: str) -> bytes:
    """The size and the colours of one of a run's strips, whatever wrote the file; nothing where none can be read."""
    try:
        with Image.open(run.examples[strip]) as image:
            return repr(image.size).encode() + image.convert("RGB").tobytes()
    except (KeyError, OSError):
        return b""


def show_strip(axes: Axes, run: Run, strip: str, label: str) -> None:
    """One of a run's strips, if it has that, labelled on the left."""
    if strip in run.examples:
        with suppress(OSError, SyntaxError, ValueError):  # a truncated picture
            axes.imshow(matplotlib.image.imread(run.examples[strip]), interpolation="nearest")
    if label:
        axes.text(-0.02, 0.5, label, transform=axes.transAxes, ha="right", va="center", fontsize=TYPE_SIZE)
