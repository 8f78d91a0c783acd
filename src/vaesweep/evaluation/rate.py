"""What the rate is spent on."""

import math
from dataclasses import dataclass

import torch

from vaesweep import figures
from vaesweep.checks import whole
from vaesweep.evaluation.outcome import Inapplicable, Outcome, Value
from vaesweep.evaluation.subject import Subject
from vaesweep.metrics import active_units
from vaesweep.metrics.rate import rate_parts

ROWS = 250
"""Draws whose densities under all images are in memory at once: 10 MB over 10,000 images."""


@dataclass(frozen=True)
class Rate:
    """KL by dimension, and in parts over the aggregate posterior of the test split, from draws for `images` of it.

    Mutual information with the index of an image is at most the logarithm of their number: where it comes near, the
    rate is beyond what a finite split can tell apart.
    """

    images: int

    def __post_init__(self) -> None:
        whole("images", self.images)

    def __call__(self, subject: Subject) -> Outcome:
        if not subject.has_posterior:
            raise Inapplicable("a point code has no rate")
        posterior = subject.posterior("test")
        count = len(posterior.mean)
        draws = torch.randn(posterior.mean.shape, generator=subject.draw("rate"), device=subject.device)
        chosen = torch.randperm(count, generator=subject.draw("images"), device=subject.device)[: self.images]
        chunks = chosen.split(ROWS)
        parts = rate_parts(posterior, posterior.sample(draws), subject.track(chunks, len(chunks)))
        kl = posterior.kl().mean(0)
        active = active_units(posterior.mean.var(0, correction=0))
        unit = "nats per image"
        values = {name: Value(number, unit) for name, number in parts._asdict().items()}
        shares = {
            "mutual information": parts.mutual_information,
            "total correlation": parts.total_correlation,
            "dimension-wise KL": parts.dimensionwise_kl,
        }
        return Outcome(
            {"kl": Value(kl.sum().item(), unit)}
            | values
            | {
                "mutual_information_limit": Value(math.log(count), f"{unit}, ln {count}"),
                "active_units": Value(active.item(), "dimensions"),
            },
            series={"kl_per_dimension": kl.tolist()},
            figures={"rate": figures.stacked("What the rate is spent on", shares, unit)},
        )
