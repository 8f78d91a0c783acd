"""Diagnostics: problems of runs that affect the figures."""

from collections.abc import Sequence
from typing import Any

import pandas as pd

from vaesweep.report.collection import Run

MISSED, OVERFIT = 0.1, 0.05
"""Shares of the target rate, and of the training nats, above which a run is reported."""


def diagnostics(frame: pd.DataFrame, runs: Sequence[Run]) -> list[str]:
    """Which runs failed, collapsed, missed their target rate or overfit: a line per setting and problem."""
    said: dict[tuple[str, str], list[int]] = {}

    def say(row: Any, text: str) -> None:
        said.setdefault((row.setting, text), []).append(row.seed)

    for row in frame.itertuples():
        if row.status != "completed":
            say(row, f"{row.status}: {row.reason}")
            continue
        declared, unused = runs[row.Index].results.declared, row.latent_dim - row.active_units
        if declared.rate and row.active_units == 0:
            say(row, "posterior collapse: no latent dimension is used")
        elif unused > 0:
            what = "latent dimensions unused" if declared.rate else "units dead (their code hardly varies)"
            say(row, f"{unused:.0f} of {row.latent_dim:.0f} {what}")
        target = declared.rate_target
        if target and abs(row.rate - target) > MISSED * target:
            say(row, f"rate misses the {target:g} nats asked for by more than {MISSED:.0%}")
        trained = (row.nelbo if declared.rate else row.distortion) - row.overfit_gap
        if row.overfit_gap > OVERFIT * abs(trained):
            say(row, f"overfit: over {OVERFIT:.0%} more nats on the test split than in training")
    return [
        f"{name}, seed{'s' * (len(seeds) > 1)} {', '.join(map(str, seeds))}: {text}"
        for (name, text), seeds in said.items()
    ]
