"""Terminal output of reports and studies."""

import os
import shlex
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console

from vaesweep.report.collection import read
from vaesweep.report.metric_differences import Differences
from vaesweep.report.run_tables import summary, table
from vaesweep.report.terminal_tables import table_of_settings

if TYPE_CHECKING:
    from vaesweep.report.report import Report


def print_report(content: "Report", page: Path) -> None:
    """Print the headline of a report, its table, its diagnostics and the path of its page."""
    console = Console(highlight=False, emoji=False)
    console.print(content.headline, markup=False)
    if len(content.means):
        console.print(table_of_settings(content.title, content.means, content.differences, console))
    if content.diagnostics:
        console.print("before you believe it:")
    for diagnostic in content.diagnostics:
        console.print(f"- {diagnostic}", markup=False, soft_wrap=not console.is_terminal)
    console.print(f"report     {os.path.relpath(page)}", markup=False, soft_wrap=True)


def print_study(study: Path) -> None:
    """Print the table of the completed runs of a study, and the command that compares its runs where there are any."""
    console = Console(highlight=False, emoji=False)
    collection = read([study])
    runs = [run for run in collection.runs if run.results.status == "completed"]
    if runs:
        frame = table(runs)
        title = " and ".join(collection.studies)
        console.print(table_of_settings(title, summary(frame), Differences(frame, runs), console))
    if collection.runs:
        folder = shlex.quote(os.path.relpath(study))
        console.print(f"compare    python src/compare.py {folder}", markup=False, soft_wrap=True)
