"""Which settings of a study are best: the Pareto front, and the lowest of a metric within its error."""

import numpy as np
import pandas as pd

from vaesweep.report.tables import COMPARABLE

LOWER_IS_BETTER = ("distortion", "nelbo", "mse")


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


def equal_to_lowest(group: pd.DataFrame, metric: str) -> pd.Series:
    """Which settings of a group have its lowest mean of a metric, or one that cannot be told from it.

    Two means cannot be told apart if they differ by no more than the standard error of their difference over seeds,
    sqrt(sd_1^2 / n_1 + sd_2^2 / n_2). A setting with one seed has no error and is left out.
    """
    error = group[f"{metric}_sd"] / np.sqrt(group.n)
    ranked = group[metric].where(error.notna())
    if ranked.notna().sum() == 0:
        return ranked.notna()
    lowest = ranked.idxmin()
    return ranked - ranked[lowest] <= np.hypot(error, error[lowest])


def best(means: pd.DataFrame, metric: str) -> pd.Series:
    """Which settings are marked: those `equal_to_lowest` among two or more that compare and have an error."""
    marks = pd.Series(False, index=means.index)
    ranked = means.dropna(subset=[metric, f"{metric}_sd"])
    for _, group in ranked.groupby(list(COMPARABLE), sort=False):
        if len(group) > 1:
            marks[group.index] = equal_to_lowest(group, metric)
    return marks
