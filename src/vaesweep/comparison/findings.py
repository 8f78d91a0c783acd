"""What a person should know before believing a figure."""

from collections.abc import Sequence

import pandas as pd

from vaesweep.comparison.reading import Run
from vaesweep.results import flat

MISSED, OVERFIT = 0.1, 0.05
"""Share of the capacity, and of the training nats, from which it is worth saying."""


def findings(frame: pd.DataFrame, runs: Sequence[Run]) -> list[str]:
    """A sentence for each run that failed, collapsed, missed its capacity or learned its training set by heart."""
    said = []
    for row in frame.itertuples():
        name = f"{row.setting}, seed {row.seed}"
        if row.status != "completed":
            said.append(f"{name}: {row.status}: {row.reason} ({row.run})")
            continue
        unused = row.latent_dim - row.active_units
        has_rate = pd.notna(row.kl)
        if has_rate and row.active_units == 0:
            said.append(f"{name}: posterior collapse: no latent dimension is used, KL {row.kl:.2f} nats")
        elif unused > 0:
            what = "latent dimensions are unused" if has_rate else "units are dead (their code hardly varies)"
            said.append(f"{name}: {unused:.0f} of {row.latent_dim:.0f} {what}")
        config = flat(runs[row.Index].results.config)
        capacity = config.get("model.schedule.C")
        if has_rate and capacity and abs(row.kl - capacity) > MISSED * capacity:
            said.append(f"{name}: capacity missed: KL {row.kl:.1f} nats where {capacity:g} were asked for")
        trained = (row.nelbo if has_rate else row.distortion) - row.overfit_gap
        if row.overfit_gap > OVERFIT * abs(trained):
            said.append(f"{name}: overfit: {row.overfit_gap:.1f} nats more on the test split than in training")
    return said
