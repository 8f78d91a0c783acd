"""Which settings of a study have the lowest of a metric, or cannot be told from it."""

import pandas as pd

from vaesweep.report.comparable_runs import COMPARABLE
from vaesweep.report.metric_differences import Differences

LOWER_IS_BETTER = ("distortion", "nelbo", "mse")


def choosing_split(group: pd.DataFrame, metric: str) -> str:
    """The split whose images choose the lowest of a metric: validation, or test where not all have a value on that.

    Where the test images do not choose it, its value on them is not too good by the choice.
    """
    return "test" if group[f"val/{metric}"].isna().any() else "validation"


def lowest(group: pd.DataFrame, metric: str) -> pd.Series:
    """The setting with the lowest mean of a metric on the `choosing_split`."""
    column = metric if choosing_split(group, metric) == "test" else f"val/{metric}"
    return group.loc[group[column].idxmin()]


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
