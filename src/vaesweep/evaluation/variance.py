"""Share of the images' variance that a code explains, compared with PCA."""

from dataclasses import dataclass

import torch
from sklearn.decomposition import PCA

from vaesweep.checks import check_int
from vaesweep.evaluation.context import EvalContext
from vaesweep.evaluation.result import MeasureResult, Value
from vaesweep.metrics import Average, CodeVariance


@dataclass(frozen=True)
class Variance:
    """Share 1 - sum |x - x_hat|^2 / sum |x - mean|^2 over the test split, beside PCA with as many components.

    The principal components are those of `images` training images.
    """

    images: int

    def __post_init__(self) -> None:
        check_int("images", self.images)

    def __call__(self, context: EvalContext) -> MeasureResult:
        known = torch.cat([batch.image.flatten(1).cpu() for batch in context.batches("train", self.images)])
        size = min(context.model.latent_dim, *known.shape)
        pca = PCA(size, random_state=context.seed).fit(known.numpy())
        axes, centre = torch.from_numpy(pca.components_).float(), torch.from_numpy(pca.mean_).float()
        missed, total = Average(), CodeVariance(context.pixels)
        for batch in context.batches("test"):
            x = batch.image.flatten(1).cpu()
            ours, linear = context.reconstruct(*batch).flatten(1).cpu(), (x - centre) @ axes.T @ axes + centre
            missed.update(torch.stack([(output - x).square().sum(1).mean() for output in (ours, linear)]), len(x))
            total.update(x)
        explained, by_pca = (1 - missed.compute() / total.compute().sum()).tolist()
        return MeasureResult(
            {
                "explained": Value(explained, "share of the variance"),
                "pca": Value(by_pca, "share of the variance"),
            }
        )
