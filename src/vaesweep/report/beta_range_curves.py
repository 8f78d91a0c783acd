"""Curves of runs that were trained for a range of betas: read, averaged, compared with runs of one beta each."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pandas as pd
from scipy.interpolate import PchipInterpolator

from vaesweep.records.normalized_config import flat
from vaesweep.report.data_frames import COMPARABLE
from vaesweep.report.evaluation_table import measures
from vaesweep.report.read_run import CURVES, Run, finite

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
