"""Widths of the posteriors, and spread of their aggregate."""

from dataclasses import dataclass

import torch

from vaesweep import figures
from vaesweep.evaluation.context import EvalContext
from vaesweep.evaluation.measure_interface import MeasureResult, NotApplicable, Value

DIMS = 8


@dataclass(frozen=True)
class PosteriorSpread:
    """Posterior widths sigma, and the spread of the aggregate posterior, over the test split; the prior's is 1."""

    def __call__(self, context: EvalContext) -> MeasureResult:
        if not context.declaration.rate:
            raise NotApplicable("a point code has no width")
        posterior = context.posterior("test")
        noise = torch.randn(posterior.mean.shape, generator=context.draw("posterior_spread"), device=context.device)
        z, kl = posterior.sample(noise), posterior.kl().mean(0)
        dims = kl.argsort(descending=True)[:DIMS].tolist()
        return MeasureResult(
            {
                "width": Value(posterior.sigma.mean().item(), "mean sigma"),
                "aggregate_spread": Value(z.std(0, correction=0).mean().item(), "mean standard deviation"),
            },
            series={"sigma_per_dimension": posterior.sigma.mean(0).tolist()},
            figures={
                "posterior": figures.posterior(posterior.mean, posterior.sigma, kl, "test"),
                "aggregate": figures.aggregate(z, dims),
            },
        )
