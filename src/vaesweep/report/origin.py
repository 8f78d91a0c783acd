"""Where the runs of a report come from: data, models, epochs, seeds, date, and the command that makes them."""

import math
import shlex
from collections.abc import Sequence
from datetime import datetime

from vaesweep.records.results import FILE
from vaesweep.report.data_frames import natural_sort_key
from vaesweep.report.read_run import Run


def data_and_training(runs: Sequence[Run]) -> list[str]:
    """Data, models, epochs, seeds and date of some runs."""
    results = [run.results for run in runs]
    parts = [
        ", ".join(sorted({r.data for r in results})),
        ", ".join(sorted({r.model for r in results})),
        span(sorted({r.epochs for r in results if r.epochs}), "epoch"),
        span(sorted({r.seed for r in results}), "seed"),
        datetime.fromtimestamp(max((run.folder / FILE).stat().st_mtime for run in runs)).strftime("%Y-%m-%d"),
    ]
    return [part for part in parts if part]


def span(values: Sequence[int], noun: str) -> str:
    """Numbers of epochs, or the seeds themselves, as text."""
    if not values:
        return ""
    if noun == "epoch":
        low, high = values[0], values[-1]
        return f"{high} epoch{'s' * (high != 1)}" if low == high else f"{low} to {high} epochs"
    return f"{noun}{'s' * (len(values) > 1)} {', '.join(map(str, values))}"


def command(overrides: Sequence[Sequence[str]]) -> str:
    """The command that makes runs with these overrides; where no product of values does, what they have in common."""
    jobs = [dict(override.partition("=")[::2] for override in job) for job in overrides]
    keys = list(dict.fromkeys(key for job in jobs for key in job))
    values = {key: sorted({job[key] for job in jobs if key in job}, key=natural_sort_key_of_text) for key in keys}
    shared = [key for key in keys if all(key in job for job in jobs)]
    distinct = {tuple(sorted(job.items())) for job in jobs}
    whole = len(shared) == len(keys) and len(distinct) == math.prod(map(len, values.values()))
    shown = [key for key in shared if whole or len(values[key]) == 1]
    many = whole and len(distinct) > 1
    arguments = [shlex.quote(f"{key}={','.join(values[key])}" if values[key] != [""] else key) for key in shown]
    text = " ".join(["python src/train.py", *["-m"] * many, *arguments])
    return text if whole else f"{text} ... (what all runs share)"


def natural_sort_key_of_text(value: str) -> tuple[bool, float, str]:
    """Sort key: numbers by size, before words."""
    try:
        return natural_sort_key(float(value))
    except ValueError:
        return natural_sort_key(value)
