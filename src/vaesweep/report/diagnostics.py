"""Diagnostics: problems of runs that affect the figures."""

from collections.abc import Sequence
from typing import Any

import pandas as pd

from vaesweep.report.convergence import further_gain
from vaesweep.report.printable_text import one_line
from vaesweep.report.rate_distortion_slopes import slopes
from vaesweep.report.read_run import Run, finite

MAX_RATE_ERROR, MAX_OVERFIT_GAP = 0.1, 0.2
"""Shares of the target rate, and of the standard deviation of the nats over test images, above which a run is reported.

A share of the nats themselves would say nothing for a density, whose nats may be zero or negative.
"""


def diagnostics(frame: pd.DataFrame, runs: Sequence[Run]) -> list[str]:
    """Which runs failed, collapsed, missed their rate, overfit or ended too early: a line per setting and problem.

    Of trials that a search pruned nothing is said: their number stands with the search.
    Then the pairs of neighbouring betas between which the slope of the plane is negative.
    """
    problems: dict[tuple[str, str], list[tuple[int, tuple[float, ...]]]] = {}

    def add(row: Any, text: str, *numbers: float) -> None:
        """A problem of a run; `text` has a {} for each number."""
        problems.setdefault((row.setting, text), []).append((row.seed, numbers))

    for row in frame.itertuples():
        if row.status == "pruned":
            continue
        if row.status != "completed":
            add(row, one_line(": ".join([row.status, *[row.reason] * isinstance(row.reason, str)])))
            continue
        declaration, unused_units = runs[row.Index].results.declared, row.latent_dim - row.active_units
        if declaration.rate and row.active_units == 0:
            add(row, "posterior collapse: no latent dimension is used")
        elif unused_units > 0:
            problem = "latent dimensions unused" if declaration.rate else "units dead (their code hardly varies)"
            add(row, f"{{}} of {row.latent_dim:.0f} {problem}", int(unused_units))
        target = declaration.rate_target
        if target and abs(row.rate - target) > MAX_RATE_ERROR * target:
            add(row, f"rate misses the {target:g} nats asked for by more than {MAX_RATE_ERROR:.0%}")
        nats = runs[row.Index].image_scores.get("nelbo" if declaration.rate else "distortion")
        gain = further_gain(runs[row.Index].history)
        if gain > finite(runs[row.Index].results.errors.get("val/loss", 0.0)):
            text = "train longer: the validation loss still fell, by about {} nats in as many epochs again"
            add(row, text, gain)
        elif nats is not None and len(nats) > 1 and row.overfit_gap > (limit := MAX_OVERFIT_GAP * nats.std()):
            total = "nelbo" if declaration.rate else "distortion"
            text = f"overfit: the {total} of a test image is {{}} nats above that of a training image; more than {{}}"
            text += f" ({MAX_OVERFIT_GAP:.0%} of its standard deviation over test images) counts as overfit"
            add(row, text, row.overfit_gap, limit)
    counts = frame.setting.value_counts()
    lines = []
    for (setting, text), cases in problems.items():
        seeds = "" if len(cases) == counts[setting] else seed_list([seed for seed, _ in cases])
        values = [over_seeds(of_seeds) for of_seeds in zip(*(numbers for _, numbers in cases), strict=True)]
        lines.append(f"{setting}{seeds}: {text.format(*values) if values else text}")  # a reason may have braces
    return [*lines, *negative_slopes(slopes(frame, runs))]


def over_seeds(numbers: Sequence[float]) -> str:
    """Whole numbers from the least to the most, others as their mean."""
    if all(isinstance(number, int) for number in numbers):
        return " to ".join(str(number) for number in dict.fromkeys((min(numbers), max(numbers))))
    return f"{sum(numbers) / len(numbers):.2g}"


def seed_list(seeds: Sequence[int]) -> str:
    """Which seeds of a setting have a problem, where not all have."""
    return f", seed{'s' * (len(seeds) > 1)} {', '.join(map(str, seeds))}"


def negative_slopes(rows: pd.DataFrame) -> list[str]:
    """A line for each pair of neighbouring betas between which rate and distortion rise or fall together."""
    return [
        f"{row.series}, beta {row.low:g} to {row.high:g}: negative slope, -dD/dR = {row.slope:.2g}: rate and "
        "distortion rise or fall together, so one of the two is not at its optimum"
        for row in rows[rows.slope < 0].itertuples()
    ]
