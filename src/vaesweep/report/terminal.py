"""Terminal output of reports and evaluations."""

import os
from collections.abc import Sequence
from pathlib import Path

import pandas as pd
from rich.console import Console
from rich.progress import track
from rich.table import Table
from rich.text import Text

from vaesweep.report import report
from vaesweep.report.evaluations import KEYS
from vaesweep.report.report import PAGE, Report

WIDE = 150
"""Columns from which a terminal has room for all metrics and their standard deviations."""
NARROW = ("setting", "runs", "distortion", "KL", "nelbo", "mse per pixel", "active dims")


def write(content: Report, folder: Path) -> None:
    """Write the report to `folder` under a progress bar; print its table, its diagnostics and the page's path."""
    console = Console(highlight=False)
    for _ in track(report.write(content, folder), "report", content.files, console=console, transient=True):
        pass
    console.print(settings(content, wide=console.width >= WIDE))
    for diagnostic in content.diagnostics:
        console.print(f"- {diagnostic}", markup=False, soft_wrap=True)
    console.print(f"report     {os.path.relpath(folder / PAGE)}", markup=False, soft_wrap=True)


def evaluations(value_table: pd.DataFrame, reasons: Sequence[str]) -> None:
    """Print the measured values of runs; without units and spreads in a narrow terminal."""
    console = Console(highlight=False)
    is_wide = console.width >= WIDE
    settings = list(value_table.columns[len(KEYS) :])
    with_units = is_wide or len(settings) == 1
    table = Table(box=None, header_style="bold")
    # a model that all settings begin with is left out of the column heads
    prefix = next(iter(settings), "").partition(" ")[0] + " "
    prefix = prefix if all(setting.startswith(prefix) for setting in settings) else ""
    table.add_column("", no_wrap=True)
    for setting in settings:
        table.add_column(Text(setting.removeprefix(prefix)), justify="right", overflow="fold")
    if with_units:
        table.add_column("unit")
    for measure, rows in value_table.groupby("measure", sort=False):
        table.add_row(Text(str(measure), style="bold"))
        for _, value, unit, *texts in rows.itertuples(index=False):
            cells = [*texts, unit] if with_units else [text.partition(" ±")[0] for text in texts]
            table.add_row(f"  {value}", *(Text(cell) for cell in cells))
    if len(value_table):
        console.print(table)
    for reason in reasons:
        console.print(f"- {reason}", markup=False, soft_wrap=True)


def settings(content: Report, wide: bool) -> Table:
    """The table of settings: all of it, or the part that fits 80 columns."""
    table = Table(title=Text(content.title), box=None, header_style="bold")
    rows = [*report.cells(content.means)]
    columns = [i for i, head in enumerate(content.columns) if wide or head.partition(" (")[0] in NARROW]
    for i in columns:
        head = content.columns[i] if wide else content.columns[i].partition(" (")[0]
        table.add_column(head, justify="right" if i else "left", no_wrap=True)
    for row in rows:
        texts = [row[i].text if wide else row[i].text.partition(" ±")[0] for i in columns]
        table.add_row(
            *(Text(text, style="bold" if row[i].best else "") for text, i in zip(texts, columns, strict=True))
        )
    return table
