"""How many processes a CPU is given where no number is set."""

import os

MOST = 4
"""Each takes about a GB of memory."""


def cores() -> int:
    """The CPU cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def default_processes() -> int:
    """One a core, at most MOST."""
    return min(cores(), MOST)
