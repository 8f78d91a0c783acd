"""Prints what a report says."""

import os
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console

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
