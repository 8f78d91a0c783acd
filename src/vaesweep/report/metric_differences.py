"""The difference between two settings, with its error over seeds and over the same test images."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import pandas as pd
from scipy.special import stdtrit

from vaesweep.records.flat_config import flat
from vaesweep.report.read_run import Run

CONFIDENCE = 0.95
VarianceTerm = tuple[float, float]
"""A part of a variance and its degrees of freedom."""


class Difference(NamedTuple):
    """A difference of two means, its standard error, and half the width of its 95 % interval."""

    mean: float
    error: float
    margin: float

    @property
    def is_clear(self) -> bool:
        """Whether the interval leaves out zero."""
        return abs(self.mean) > self.margin


@dataclass(frozen=True)
class SettingScores:
    """A metric of the completed runs of a setting."""

    seeds: np.ndarray
    """Its test means, one a run."""
    images: np.ndarray | None
    """Its value [N] for every test image, a mean over the runs; None where they were tested on different images."""
    draws: set[str]
    """Which draws of the data the images are from, by `data.seed`."""
    image_variance: float
    """Squared standard error over the test images, a mean over the runs; NaN where none was recorded."""


class Differences:
    """Differences between the settings of a study in a metric of the test split.

    With n_a and n_b seeds and N images that both were tested on, the variance of the difference of the means is

        s_a^2 / n_a + s_b^2 / n_b + s_ab^2 / N

    where s_a and s_b are standard deviations over seeds, and s_ab that over images of the difference of the two
    settings' scores, each a mean over its seeds. Its degrees of freedom are Welch's (1947). Where images differ, the
    last part is the sum of the two variances over images. A setting with one seed is given the standard deviation of
    the other (Crawford and Howell 1998); where both have one, the error is that over images alone.
    """

    def __init__(self, frame: pd.DataFrame, runs: Sequence[Run]) -> None:
        completed = frame[frame.status == "completed"]
        self.parts = {str(setting): part for setting, part in completed.groupby("setting", sort=False)}
        self.runs = runs

    def scores(self, setting: str, metric: str) -> SettingScores:
        """What is known of a metric of a setting."""
        part = self.parts[setting]
        runs = [self.runs[i] for i in part.index]
        draws = {str(flat(run.results.config).get("data.seed")) for run in runs}
        name = (runs[0].results.declared.rate or "") if metric == "rate" else metric
        arrays = [run.image_scores.get(name) for run in runs]
        same_images = len(draws) == 1 and len({None if x is None else len(x) for x in arrays}) == 1
        images = np.mean(np.array(arrays, dtype=float), 0) if same_images and arrays[0] is not None else None
        variance = float((part[f"{metric}_se"] ** 2).mean(skipna=False))
        return SettingScores(part[metric].to_numpy(), images, draws, variance)

    def difference(self, a: str, b: str, metric: str) -> Difference:
        """The mean of a metric of setting `a` minus that of `b`. Its error is NaN where none is known."""
        first, second = self.scores(a, metric), self.scores(b, metric)
        mean = float(first.seeds.mean() - second.seeds.mean())
        terms = [*seed_terms(first.seeds, second.seeds), *image_terms(first, second)]
        if not terms:
            return Difference(mean, math.nan, math.nan)
        error = math.sqrt(sum(variance for variance, _ in terms))
        return Difference(mean, error, error * t_quantile(terms))


def seed_terms(a: np.ndarray, b: np.ndarray) -> list[VarianceTerm]:
    """The variances of two means over seeds; none where both have one seed."""
    if len(a) < 2 and len(b) < 2:
        return []
    if len(a) < 2 or len(b) < 2:
        many = a if len(a) > len(b) else b
        return [(float(many.var(ddof=1)) * (1 + 1 / len(many)), len(many) - 1)]
    return [(float(values.var(ddof=1)) / len(values), len(values) - 1) for values in (a, b)]


def image_terms(a: SettingScores, b: SettingScores) -> list[VarianceTerm]:
    """The variance over images of the difference of two settings; none where it is not known."""
    if a.images is not None and b.images is not None and a.draws == b.draws and len(a.images) == len(b.images):
        if len(a.images) < 2:
            return []
        return [(float((a.images - b.images).var(ddof=1)) / len(a.images), len(a.images) - 1)]
    variance = a.image_variance + b.image_variance
    return [] if math.isnan(variance) else [(variance, math.inf)]


def t_quantile(terms: Sequence[VarianceTerm]) -> float:
    """Student's t at the confidence of an interval, with Welch's degrees of freedom."""
    total = sum(variance for variance, _ in terms)
    spread = sum(variance**2 / freedom for variance, freedom in terms)
    freedom = total**2 / spread if spread else math.inf
    return float(stdtrit(freedom, (1 + CONFIDENCE) / 2))
