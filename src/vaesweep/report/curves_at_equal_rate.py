"""Curves of runs that were trained for a range of betas, compared with runs of one beta each at equal rate."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pandas as pd
from scipy.interpolate import PchipInterpolator

from vaesweep.report.beta_range_curves import POINT
from vaesweep.report.comparable_runs import COMPARABLE
from vaesweep.report.read_run import Run, finite


def at_equal_rate(frame: pd.DataFrame, runs: Sequence[Run], curve_rows: pd.DataFrame) -> pd.DataFrame:
    """How far each curve lies above the runs of one beta, at their rate; a row per series of curves and setting.

    The curve of a run is interpolated over its rates (monotone cubic, Fritsch & Carlson 1980). `difference` is its
    distortion at the rate of a separate run minus that run's, a mean over both kinds of seeds; `difference_se` adds the
    variances of both means, over seeds, or over test images where there is one seed. Over images, the error of a
    distortion at a given rate is that of distortion + beta * rate. Both kinds may be tested on the same images: then
    the error over images is too large. A setting of which a run has a rate beyond a curve's ends is left out.
    """
    if curve_rows.empty:
        return pd.DataFrame()
    is_separate = np.array([not runs[i].has_range for i in frame.index])
    separate = frame[is_separate & (frame.status == "completed")].dropna(subset=list(POINT))
    rows = []
    for (series, *kind), part in curve_rows.groupby(["series", *COMPARABLE], sort=False):
        of_runs = [one for _, one in part.groupby("place", sort=False)]
        curve_at = [interpolators(one) for one in of_runs]
        alike = separate[(separate[list(COMPARABLE)] == kind).all(axis=1)]
        for setting, members in alike.groupby("setting", sort=False):
            at = np.array([distortion(members.rate.to_numpy()) for distortion, _ in curve_at])  # [curves, members]
            if not np.isfinite(at).all():
                continue
            rate, differences = members.rate.mean(), at.mean(0) - members.distortion.to_numpy()
            of_curves = at.mean(1).var(ddof=1) / len(at) if len(at) > 1 else curve_at[0][1](rate) ** 2
            of_one = finite(runs[members.index[0]].results.errors.get("test/loss"))
            of_members = differences.var(ddof=1) / len(members) if len(members) > 1 else of_one**2
            rows.append(
                {"series": series, "setting": setting, "beta": members.beta.iloc[0]}
                | {"runs": len(members), "curves": len(at), "rate": rate, "distortion": members.distortion.mean()}
                | {"curve": at.mean(), "difference": differences.mean()}
                | {"difference_se": np.sqrt(of_curves + of_members)}
                | {"seconds": members.seconds.mean(), "curve_seconds": np.mean([c.seconds.iloc[0] for c in of_runs])}
            )
    return pd.DataFrame(rows)


def interpolators(curve: pd.DataFrame) -> tuple[Callable[..., Any], Callable[..., Any]]:
    """Distortion and its standard error over the images as functions of the rate; no distortion beyond the ends.

    Betas at which the rate is not below that of every smaller beta are left out.
    """
    # from the largest beta to the least, so that rates rise
    falling = curve[curve.rate < curve.rate.cummin().shift(fill_value=np.inf)][::-1]
    if len(falling) < 2:
        return lambda rate: np.full_like(rate, np.nan), lambda rate: np.nan
    distortion = PchipInterpolator(falling.rate, falling.distortion, extrapolate=False)
    return distortion, lambda rate: np.interp(rate, falling.rate, falling.error)
