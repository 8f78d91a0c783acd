"""What a person should know before believing a figure."""

from collections.abc import Sequence
from typing import Any

import pandas as pd

from vaesweep.comparison.reading import Run
from vaesweep.results import flat

MISSED, OVERFIT = 0.1, 0.05
"""Share of the capacity, and of the training nats, from which it is worth saying."""


def findings(frame: pd.DataFrame, runs: Sequence[Run]) -> list[str]:
    """Which runs failed, collapsed, missed their capacity or learned their training set by heart: a line a setting."""
    said: dict[tuple[str, str], list[int]] = {}

    def say(row: Any, text: str) -> None:
        said.setdefault((row.setting, text), []).append(row.seed)

    for row in frame.itertuples():
        if row.status != "completed":
            say(row, f"{row.status}: {row.reason}")
            continue
        has_rate, unused = pd.notna(row.kl), row.latent_dim - row.active_units
        if has_rate and row.active_units == 0:
            say(row, "posterior collapse: no latent dimension is used")
        elif unused > 0:
            what = "latent dimensions unused" if has_rate else "units dead (their code hardly varies)"
            say(row, f"{unused:.0f} of {row.latent_dim:.0f} {what}")
        capacity = flat(runs[row.Index].results.config).get("model.schedule.C")
        if has_rate and capacity and abs(row.kl - capacity) > MISSED * capacity:
            say(row, f"capacity missed by more than {MISSED:.0%} of the {capacity:g} nats asked for")
        trained = (row.nelbo if has_rate else row.distortion) - row.overfit_gap
        if row.overfit_gap > OVERFIT * abs(trained):
            say(row, f"overfit: over {OVERFIT:.0%} more nats on the test split than in training")
    return [
        f"{name}, seed{'s' * (len(seeds) > 1)} {', '.join(map(str, seeds))}: {text}"
        for (name, text), seeds in said.items()
    ]
