"""The rate by dimension and in parts."""

import math
from dataclasses import dataclass

import torch

from vaesweep import figures
from vaesweep.evaluation.context import EvalContext
from vaesweep.evaluation.measure_interface import MeasureResult, NotApplicable, Value
from vaesweep.metrics import active_units
from vaesweep.metrics.kl_decomposition import rate_parts
from vaesweep.value_rules import check_int

ROWS = 250
"""Draws whose densities under all images are in memory at once: 10 MB over 10,000 images."""


@dataclass(frozen=True)
class Rate:
    """KL by dimension, and in parts over the aggregate posterior of the test split, from draws for `images` of it.

    Mutual information with the index of an image is at most the logarithm of the number of images: near that limit,
    the split has too few images to resolve the rate.
    """

    images: int

    def __post_init__(self) -> None:
        check_int("images", self.images)

    def __call__(self, context: EvalContext) -> MeasureResult:
        if not context.declaration.rate:
            raise NotApplicable("a point code has no rate")
        posterior = context.posterior("test")
        count = len(posterior.mean)
        draws = torch.randn(posterior.mean.shape, generator=context.draw("rate"), device=context.device)
        indices = torch.randperm(count, generator=context.draw("images"), device=context.device)[: self.images]
        chunks = indices.split(ROWS)
        parts = rate_parts(posterior, posterior.sample(draws), context.track(chunks, len(chunks)))
        kl = posterior.kl().mean(0)
        active = active_units(posterior.mean.var(0, correction=0))
        unit = "nats per image"
        values = {name: Value(number, unit) for name, number in parts._asdict().items()}
        shares = {
            "mutual information": parts.mutual_information,
            "total correlation": parts.total_correlation,
            "dimension-wise KL": parts.dimensionwise_kl,
        }
        return MeasureResult(
            {"kl": Value(kl.sum().item(), unit)}
            | values
            | {
                "mutual_information_limit": Value(math.log(count), f"{unit}, ln {count}"),
                "active_units": Value(active.item(), "dimensions"),
            },
            series={"kl_per_dimension": kl.tolist()},
            figures={"rate": figures.parts_bar("What the rate is spent on", shares, "nats")},
        )
