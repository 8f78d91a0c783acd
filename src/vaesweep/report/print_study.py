"""Prints the table of a study when its jobs have run."""

import os
import shlex
from pathlib import Path

from rich.console import Console

from vaesweep.report.metric_differences import Differences
from vaesweep.report.run_collection import read
from vaesweep.report.run_tables import summary, table
from vaesweep.report.terminal_tables import table_of_settings


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
