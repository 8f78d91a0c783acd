"""The importance-weighted negative log-likelihood of the test images."""

from dataclasses import dataclass

import torch

from vaesweep.checks import check_int
from vaesweep.evaluation.context import EvalContext
from vaesweep.evaluation.measure import MeasureResult, NotApplicable, Value
from vaesweep.metrics import Average
from vaesweep.metrics.importance_weighted_bound import bits_per_dim, bounds


@dataclass(frozen=True)
class NLL:
    """The bound on -log p(x) from `k` importance samples per image (Burda et al. 2016), beside the negative ELBO.

    Both are means over the test split, from the same samples. For conditional models it is p(x|y). On grey images a
    Bernoulli likelihood is a cross-entropy; a Gaussian one is a density of values in [0, 1], to which the density of
    values in 0 ... 255 adds log2(255), about 8, bits per dimension.
    """

    k: int

    def __post_init__(self) -> None:
        check_int("k", self.k)

    def __call__(self, context: EvalContext) -> MeasureResult:
        if not context.declaration.rate:
            raise NotApplicable("a point code has no posterior density")
        mean = Average()
        for i, batch in enumerate(context.batches("test")):
            source = context.draw("nll", i)
            elbo, bound = bounds(context.model, batch, self.k, source, lambda sizes: context.track(sizes, len(sizes)))
            mean.update(-torch.stack([elbo.mean(), bound.mean()]).cpu(), len(batch.image))
        nelbo, nll = mean.compute().tolist()
        images = "nats per image"
        return MeasureResult(
            {
                "nelbo": Value(nelbo, images),
                "nll": Value(nll, f"{images}, k = {self.k}"),
                "gap": Value(nelbo - nll, images),
                "bits_per_dim": Value(bits_per_dim(nll, context.pixels), "bits per dimension"),
            }
        )
