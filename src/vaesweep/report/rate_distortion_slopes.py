"""The slope of the rate-distortion plane between neighbouring weights of the rate."""

from collections.abc import Sequence

import pandas as pd

from vaesweep.records.flat_config import flat
from vaesweep.report.comparable_runs import COMPARABLE
from vaesweep.report.read_run import Run


def slopes(frame: pd.DataFrame, runs: Sequence[Run]) -> pd.DataFrame:
    """-dD/dR between neighbouring betas of a series, from runs of the same seed; mean, standard error, number.

    Where a seed lacks a beta, the betas beside that are no neighbours.

    Where D + beta R is minimal over a convex trade-off, -dD/dR = beta, so that between two betas it lies between
    them (Alemi et al. 2018, sec. 4). Only runs whose declaration names the weight of the rate have a beta.
    """
    data_seeds = [str(flat(runs[i].results.config).get("data.seed", 0)) for i in frame.index]
    completed = frame.assign(data_seed=data_seeds)[frame.status == "completed"].dropna(
        subset=["rate", "distortion", "beta"]
    )
    rows = []
    groups = ["series", *COMPARABLE]
    place = completed.groupby(groups, sort=False).beta.rank(method="dense")
    for (series, *_), ladder in completed.assign(place=place).groupby([*groups, "seed", "data_seed"], sort=False):
        steps = ladder.sort_values("beta")
        for (_, low), (_, high) in zip(steps.iloc[:-1].iterrows(), steps.iloc[1:].iterrows(), strict=True):
            if low.beta > 0 and high.place == low.place + 1 and abs(low.rate - high.rate) > 1e-3:
                slope = -(high.distortion - low.distortion) / (high.rate - low.rate)
                rows.append({"series": series, "low": low.beta, "high": high.beta, "slope": slope})
    if not rows:
        return pd.DataFrame(columns=["series", "low", "high", "slope", "se", "n"])
    pairs = pd.DataFrame(rows).groupby(["series", "low", "high"])["slope"]
    return pairs.agg(slope="mean", se="sem", n="size").reset_index()
