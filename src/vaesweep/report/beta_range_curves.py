"""Curves of runs that were trained for a range of betas: read, averaged, marked."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from vaesweep.records.flat_config import flat
from vaesweep.report.comparable_runs import COMPARABLE
from vaesweep.report.evaluation_table import measures
from vaesweep.report.read_run import CURVES, Run

MEASURE = "rate_distortion_curve"
POINT = ("beta", "rate", "distortion")
MARKED = [m * 10.0**k for k in range(-4, 5) for m in (1, 2, 5)]
"""Betas that are marked on a curve."""
ROUNDING = 1e-6
"""Share by which an end of a range may differ from the number that was given, which training holds in 32 bits."""


def has_curve_of_its_own(run: Run) -> bool:
    """Whether a run is completed and trained for a range of betas, and no trial, whose settings are drawn."""
    return run.has_range and run.results.status == "completed" and not run.is_trial


def curves(frame: pd.DataFrame, runs: Sequence[Run]) -> pd.DataFrame:
    """A row per beta of every measured curve: its series, the run's `place` in `runs`, its seconds and COMPARABLE.

    Betas without a finite rate and distortion are left out. Of runs of a series that differ in nothing but the beta
    that they are tested at, which training does not use, the first is taken.
    """
    parts, known = [], set[tuple[Any, str]]()
    for row in frame.itertuples():
        entry = dict(measures(runs[row.Index])).get(MEASURE)
        if not entry or not entry["values"] or not has_curve_of_its_own(runs[row.Index]):
            continue
        training = row.series, settings_of_training(runs[row.Index])
        if training in known:
            continue
        known.add(training)
        series = {name: entry["series"][name] for name in CURVES[MEASURE]}
        part = pd.DataFrame(series).astype(float).dropna(subset=list(POINT))
        of_run = {name: getattr(row, name) for name in ("series", "seconds", *COMPARABLE)}
        parts.append(part[part.beta > 0].sort_values("beta").assign(place=row.Index, **of_run))
    return pd.concat(parts, ignore_index=True) if parts else pd.DataFrame()


def settings_of_training(run: Run) -> str:
    """The settings that a model for a range of betas is trained by, as text."""
    settings = flat(run.results.config)
    settings.pop(f"model.{run.results.declared.rate_weight}", None)
    return repr(sorted(settings.items(), key=str))


def mean_curves(curve_rows: pd.DataFrame) -> pd.DataFrame:
    """The mean over the runs of each series: a row per beta of its first run that lies in the range of all."""
    rows: list[tuple[Any, ...]] = []
    for series, part in curve_rows.groupby("series", sort=False) if len(curve_rows) else ():
        of_runs = [one for _, one in part.groupby("place", sort=False)]
        low, high = max(one.beta.min() for one in of_runs), min(one.beta.max() for one in of_runs)
        betas = of_runs[0].beta[of_runs[0].beta.between(low, high)].tolist()
        rate, distortion = (np.mean([at_betas(one, name, betas) for one in of_runs], axis=0) for name in POINT[1:])
        rows += [(series, *point) for point in zip(betas, rate, distortion, strict=True)]
    return pd.DataFrame(rows, columns=["series", *POINT])


def at_betas(curve: pd.DataFrame, name: str, betas: Sequence[float]) -> np.ndarray:
    """A column of a curve at some betas, linear in their logarithms."""
    return np.interp(np.log(betas), np.log(curve.beta), curve[name])


def marks(means: pd.DataFrame) -> pd.DataFrame:
    """The points of mean curves at the betas `MARKED`."""
    rows: list[tuple[Any, ...]] = []
    for series, part in means.groupby("series", sort=False):
        low, high = part.beta.min() * (1 - ROUNDING), part.beta.max() * (1 + ROUNDING)
        betas = [beta for beta in MARKED if low <= beta <= high]
        rows += [(series, *point) for point in zip(betas, *(at_betas(part, n, betas) for n in POINT[1:]), strict=True)]
    return pd.DataFrame(rows, columns=["series", *POINT])
