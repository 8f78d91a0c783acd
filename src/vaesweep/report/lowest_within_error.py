"""Which settings of a study have the lowest of a metric, or cannot be told from it."""

import pandas as pd

from vaesweep.report.data_frames import COMPARABLE
from vaesweep.report.metric_differences import Differences

LOWER_IS_BETTER = ("distortion", "nelbo", "mse")


def lowest(group: pd.DataFrame, metric: str) -> pd.Series:
    """The setting with the lowest mean of a metric: on the validation split, or the test split where not all have it.

    The test images do not choose it, so that its value on them is not too good by the choice.
    """
    validation = group[f"val/{metric}"]
    return group.loc[(group[metric] if validation.isna().any() else validation).idxmin()]


def equal_to_lowest(group: pd.DataFrame, metric: str, differences: Differences) -> pd.Series:
    """Which settings of a group have its lowest mean of a metric, or one that cannot be told from it on the test split.

    A difference with an error of unknown size tells nothing apart.
    """
    best = lowest(group, metric)
    gaps = [differences.difference(setting, best.setting, metric) for setting in group.setting]
    return pd.Series([not (each.is_clear and each.mean > 0) for each in gaps], index=group.index)


def best(means: pd.DataFrame, metric: str, differences: Differences) -> pd.Series:
    """Which settings are marked: those `equal_to_lowest` among two or more that compare and have an error."""
    marks = pd.Series(False, index=means.index)
    ranked = means.dropna(subset=[metric, f"{metric}_se"])
    for _, group in ranked.groupby(list(COMPARABLE), sort=False):
        if len(group) > 1:
            marks[group.index] = equal_to_lowest(group, metric, differences)
    return marks
