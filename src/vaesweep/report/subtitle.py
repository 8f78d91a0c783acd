"""The subtitle of a report's figures: the data, models, epochs, seeds and date of its runs."""

from collections.abc import Sequence
from datetime import datetime

from vaesweep.records.results import FILE
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
