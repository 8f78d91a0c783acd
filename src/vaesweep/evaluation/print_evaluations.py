"""Terminal output of evaluations."""

from collections.abc import Sequence

import pandas as pd
from rich.console import Console
from rich.table import Table
from rich.text import Text

from vaesweep.records.evaluation_record import FILE
from vaesweep.report.evaluation_table import KEYS
from vaesweep.report.terminal_tables import GAP, blocks, width

UNIT_WIDTH = 16
"""Characters of the column of units where a terminal is narrow; a longer unit is wrapped."""


def print_evaluations(value_table: pd.DataFrame, cautions: Sequence[str], absences: Sequence[tuple[str, str]]) -> None:
    """Print the measured values of runs, with their spreads; below each other where a terminal is too narrow.

    Then the cautions, a line each, and what does not apply, in one line.
    """
    console = Console(highlight=False, emoji=False)
    settings = list(value_table.columns[len(KEYS) :])
    # a model that all settings begin with is left out of the column heads
    prefix = next(iter(settings), "").partition(" ")[0] + " "
    prefix = prefix if all(setting.startswith(prefix) for setting in settings) else ""
    heads = [*(setting.removeprefix(prefix) for setting in settings), "unit"]
    columns = [*(value_table[setting] for setting in settings), value_table.unit]
    names = width([*(f"  {value}" for value in value_table.value), *value_table.measure]) + GAP
    widths = [width([head, *column]) for head, column in zip(heads, columns, strict=True)]
    widths[-1] = min(widths[-1], UNIT_WIDTH)
    for block in blocks(widths, console.width - names) if len(value_table) else []:
        table = Table(box=None, header_style="bold", padding=(0, GAP, 0, 0))
        table.add_column("", no_wrap=True)
        for i in block:
            is_unit = i == len(heads) - 1
            table.add_column(Text(heads[i]), justify="left" if is_unit else "right", no_wrap=not is_unit)
        for measure, rows in value_table.groupby("measure", sort=False):
            table.add_row(Text(str(measure), style="bold"))
            for row, value in rows.value.items():
                table.add_row(f"  {value}", *(Text(columns[i][row]) for i in block))
        console.print(table)
    for caution in cautions:
        console.print(f"- {caution}", markup=False, soft_wrap=not console.is_terminal)
    if absences:
        subjects = ", ".join(subject for subject, _ in absences)
        console.print(f"does not apply: {subjects} ({FILE} says why)", markup=False, soft_wrap=not console.is_terminal)
