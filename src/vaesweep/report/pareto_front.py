"""The Pareto front of rate and distortion."""

import numpy as np
import pandas as pd

from vaesweep.report.comparable_runs import COMPARABLE


def pareto(means: pd.DataFrame) -> pd.DataFrame:
    """The settings that none of those they compare with (COMPARABLE) beats in both rate and distortion.

    A setting that compares with no other is on no front.
    """
    front = []
    for _, part in means.dropna(subset=["rate"]).groupby(list(COMPARABLE), sort=False):
        best = np.inf
        for index, row in part.sort_values(["rate", "distortion"]).iterrows() if len(part) > 1 else ():
            if row.distortion < best:
                front.append(index)
                best = row.distortion
    return means.loc[front]
