"""The KL by dimension, and in parts: mutual information, total correlation, dimension-wise KL."""

from dataclasses import dataclass

import torch

from vaesweep import figures
from vaesweep.evaluation.context import EvalContext
from vaesweep.evaluation.measure_interface import MeasureResult, NotApplicable, Value
from vaesweep.metrics import active_units
from vaesweep.metrics.kl_decomposition import rate_parts
from vaesweep.settings.check_arguments import check_int

ROWS = 250
"""Draws whose densities under all images are in memory at once: 10 MB over 10,000 images."""

GAP = 0.1
"""Nats between the two bounds of a part up to which their mean stands for it."""


@dataclass(frozen=True)
class KLDecomposition:
    """KL by dimension, and in parts over the aggregate posterior, from draws for `images` of the test split.

    The images bound each part from both sides. A part is a value where its bounds are at most `GAP` apart, and their
    standard error is at most half of that; otherwise its bounds are the values, as there are too few images.
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
        values, remarks = {"kl": Value(kl.sum().item(), unit)}, {}
        for name, (lower, upper, error) in parts._asdict().items():
            if upper - lower <= GAP and error <= GAP / 2:
                values[name] = Value((lower + upper) / 2, unit)
                continue
            values |= {f"{name}_lower": Value(lower, unit), f"{name}_upper": Value(upper, unit)}
            if upper - lower > GAP:
                remarks[name] = f"{count} test images leave its two bounds more than {GAP} nats apart"
            else:
                remarks[name] = f"{len(indices)} draws leave its bounds with a standard error of {error:.2g} nats"
        values["active_units"] = Value(active.item(), "dimensions")
        shown = {
            "mutual information": "mutual_information",
            "total correlation": "total_correlation",
            "dimension-wise KL": "dimensionwise_kl",
        }
        intervals = {label: getattr(parts, name)[:2] for label, name in shown.items()}
        spent = figures.intervals(f"What the rate of {kl.sum():.1f} nats is spent on", intervals, unit)
        return MeasureResult(
            values,
            remarks=remarks,
            series={"kl_per_dimension": kl.tolist()},
            figures={"kl_decomposition": spent},
        )
