"""A report as a person sees it in a terminal."""

import os
from pathlib import Path

from rich.console import Console
from rich.progress import track
from rich.table import Table

from vaesweep.comparison import report
from vaesweep.comparison.report import PAGE, Report


def write(made: Report, folder: Path) -> None:
    """Write the report to `folder` under a progress bar; then its table, what to beware of, and where the page is."""
    console = Console(highlight=False)
    for _ in track(report.write(made, folder), "report", made.files, console=console, transient=True):
        pass
    table = Table(title=made.title, box=None, header_style="bold")
    for number, head in enumerate(made.columns):
        table.add_column(head, justify="right" if number else "left")
    for row in report.cells(made.means):
        table.add_row(*(f"[bold]{cell.text}[/]" if cell.best else cell.text for cell in row))
    console.print(table)
    for finding in made.findings:
        console.print(f"- {finding}", markup=False, soft_wrap=True)
    console.print(f"report     {os.path.relpath(folder / PAGE)}", markup=False, soft_wrap=True)
