"""Share of the images' variance that a code explains, compared with PCA."""

from dataclasses import dataclass

import torch
from sklearn.decomposition import PCA

from vaesweep.evaluation.context import EvalContext
from vaesweep.evaluation.measure_interface import MeasureResult, Value
from vaesweep.metrics import Average, CodeVariance
from vaesweep.settings.check_arguments import check_int


@dataclass(frozen=True)
class ExplainedVariance:
    """Share 1 - sum |x - x_hat|^2 / sum |x - mean|^2 over the test split, beside PCA with as many components.

    The principal components are those of `images` training images.
    """

    images: int

    def __post_init__(self) -> None:
        check_int("images", self.images)

    def __call__(self, context: EvalContext) -> MeasureResult:
        train_images = torch.cat([batch.image.flatten(1).cpu() for batch in context.batches("train", self.images)])
        size = min(context.model.latent_dim, *train_images.shape)
        pca = PCA(size, random_state=context.seed).fit(train_images.numpy())
        axes, centre = torch.from_numpy(pca.components_).float(), torch.from_numpy(pca.mean_).float()
        residual, total = Average(), CodeVariance(context.pixels)
        for batch in context.batches("test"):
            x = batch.image.flatten(1).cpu()
            outputs = context.reconstruct(*batch).flatten(1).cpu(), (x - centre) @ axes.T @ axes + centre
            residual.update(torch.stack([(output - x).square().sum(1).mean() for output in outputs]), len(x))
            total.update(x)
        explained_share, pca_share = (1 - residual.compute() / total.compute().sum()).tolist()
        return MeasureResult(
            {
                "explained": Value(explained_share, "share of the variance"),
                "pca": Value(pca_share, "share of the variance"),
            }
        )
