"""The importance-weighted negative log-likelihood of the test images."""

import math
from dataclasses import dataclass

import torch

from vaesweep.evaluation.context import EvalContext
from vaesweep.evaluation.measure_interface import MeasureResult, NotApplicable, Value
from vaesweep.metrics.importance_weighted_bound import bits_per_dim, bounds
from vaesweep.settings.check_arguments import check_int

LOOSE = 0.1
"""Nats that the last doubling of k may gain before the bound is called loose."""


@dataclass(frozen=True)
class NLL:
    """The bound on -log p(x) from `k` importance samples per image (Burda et al. 2016), beside the negative ELBO.

    Both are means over the test split, from the same samples. For conditional models it is p(x|y). On grey images a
    Bernoulli likelihood is a cross-entropy; a Gaussian one is a density of values in [0, 1], to which the density of
    values in 0 ... 255 adds log2(255), about 8, bits per dimension. `looseness` is about how far the bound still lies
    above -log p(x), `nll_spread` about the standard deviation of the mean over repeats with other samples.
    """

    k: int

    def __post_init__(self) -> None:
        check_int("k", self.k)

    def __call__(self, context: EvalContext) -> MeasureResult:
        if not context.declaration.rate:
            raise NotApplicable("a point code has no posterior density")
        parts = []
        for i, batch in enumerate(context.batches("test")):
            source = context.draw("nll", i)
            of_batch = bounds(context.model, batch, self.k, source, lambda sizes: context.track(sizes, len(sizes)))
            parts.append(torch.stack(of_batch).double().cpu())
        elbo, bound, half, spread, effective = torch.cat(parts, dim=1)
        images = "nats per image"
        nll = -bound.mean().item()
        result = MeasureResult(
            {
                "nelbo": Value(-elbo.mean().item(), images),
                "nll": Value(nll, f"{images}, k = {self.k}"),
                "gap": Value((bound - elbo).mean().item(), images),
                "bits_per_dim": Value(bits_per_dim(nll, context.pixels), "bits per dimension"),
                "effective_samples": Value(effective.mean().item(), f"of {self.k}"),
            }
        )
        if len(bound) > 1:
            error = bound.std().item() / math.sqrt(len(bound))
            result.values["nll_error"] = Value(error, f"{images}, standard error over images")
        if self.k > 1:
            repeats = math.sqrt(spread.square().mean().item() / len(spread))
            result.values["nll_spread"] = Value(repeats, f"{images}, standard deviation over repeats")
            looseness = (bound - half).mean().item()
            result.values["looseness"] = Value(looseness, f"{images}, gained by the last doubling of k")
            if looseness > LOOSE:
                result.remarks["nll"] = (
                    f"the last doubling of k still lowered it by more than {LOOSE} nats: it is an upper bound that a "
                    "larger nll.k makes tighter"
                )
        return result
