"""The command that makes the runs of a report."""

import math
import shlex
from collections.abc import Sequence

from vaesweep.report.run_tables import natural_sort_key


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
