"""Tables that fit a terminal."""

from collections.abc import Iterable, Sequence

import pandas as pd
from rich.cells import cell_len
from rich.console import Console
from rich.table import Table
from rich.text import Text

from vaesweep.report.metric_differences import Differences
from vaesweep.report.metrics_table import cells, heads, notes

LEAST_IMPORTANT_LAST = ("setting", "distortion", "KL", "nelbo", "mse", "active dims", "runs")
"""Columns of the table of settings that a narrow terminal shows, as many as fit; a wide one shows all."""
GAP = 2
"""Blanks between two columns."""
NAME_WIDTH = 30
"""Characters of a setting's name for which columns are left out; a longer name goes on in the next line."""


def width(texts: Iterable[str]) -> int:
    """Cells of the longest line."""
    return max((cell_len(line) for text in texts for line in str(text).split("\n")), default=0)


def blocks(widths: Sequence[int], room: int) -> list[list[int]]:
    """Places of columns in as few groups as fit into `room`, each of at least one; the last has two where they fit."""
    groups: list[list[int]] = []
    left = 0
    for place, needed in enumerate(widths):
        if not groups or needed + GAP > left:
            groups.append([])
            left = room
        groups[-1].append(place)
        left -= needed + GAP
    # the units stand beside a value
    if len(groups) > 1 and len(groups[-1]) == 1 < len(groups[-2]) and sum(widths[-2:]) + 2 * GAP <= room:
        groups[-1].insert(0, groups[-2].pop())
    return groups


def table_of_settings(title: str, means: pd.DataFrame, differences: Differences, console: Console) -> Table:
    """The table of settings with as many of its columns as `console` has room for.

    The best numbers are bold in a terminal; elsewhere, as in a file, they have a star.
    """
    names = [head.replace(" (", "\n(").replace(" per ", "\nper ") for head in heads(means)]
    rows = cells(means, differences)
    bold = console.is_terminal and not console.is_dumb_terminal
    texts = [["*" * (cell.best and not bold) + cell.text for cell in row] for row in rows]
    widths = [width([head, *(row[i] for row in texts)]) + GAP for i, head in enumerate(names)]
    needed = [min(widths[0], NAME_WIDTH + GAP), *widths[1:]]
    shown = list(range(len(names)))
    places = {head.split("\n")[0]: i for i, head in enumerate(names)}
    candidates = [places[name] for name in LEAST_IMPORTANT_LAST if name in places]
    while sum(needed[i] for i in shown) > console.width and len(candidates) > 1:
        shown = sorted(candidates)
        candidates.pop()
    table = Table(title=Text(title), box=None, header_style="bold", padding=(0, GAP, 0, 0))
    hidden = len(names) - len(shown)
    captions = [
        *notes(means),
        *["Nats are per test image; nelbo = distortion + KL."] * ("nelbo" in places),
        *[f"{'Bold' if bold else '*'}: the lowest of a column, or not clearly above it."]
        * any(rows[i][j].best for i in range(len(rows)) for j in shown),
        *[f"{hidden} more columns in a wider terminal and in the report."] * (hidden > 0),
    ]
    table.caption, table.caption_justify = Text("\n".join(captions)), "left"
    table.add_column(names[0], overflow="fold")
    for i in shown[1:]:
        table.add_column(names[i], justify="right", no_wrap=True, min_width=widths[i] - GAP)
    for row, text in zip(rows, texts, strict=True):
        table.add_row(*(Text(text[i], style="bold" if row[i].best else "") for i in shown))
    return table
