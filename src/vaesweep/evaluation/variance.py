"""How much of the images' variance a code explains, and what PCA would."""

from dataclasses import dataclass

import torch
from sklearn.decomposition import PCA

from vaesweep.checks import whole
from vaesweep.evaluation.outcome import Outcome, Value
from vaesweep.evaluation.subject import Subject
from vaesweep.metrics import Average, CodeVariance


@dataclass(frozen=True)
class Variance:
    """1 - sum |x - x_hat|^2 / sum |x - mean|^2 over the test split, beside PCA with as many components.

    The principal components are those of `images` training images.
    """

    images: int

    def __post_init__(self) -> None:
        whole("images", self.images)

    def __call__(self, subject: Subject) -> Outcome:
        known = torch.cat([batch.image.flatten(1).cpu() for batch in subject.batches("train", self.images)])
        size = min(subject.member.latent_dim, *known.shape)
        pca = PCA(size, random_state=subject.seed).fit(known.numpy())
        axes, centre = torch.from_numpy(pca.components_).float(), torch.from_numpy(pca.mean_).float()
        missed, total = Average(), CodeVariance(subject.pixels)
        for batch in subject.batches("test"):
            x = batch.image.flatten(1).cpu()
            ours, linear = subject.reconstruct(*batch).flatten(1).cpu(), (x - centre) @ axes.T @ axes + centre
            missed.update(torch.stack([(output - x).square().sum(1).mean() for output in (ours, linear)]), len(x))
            total.update(x)
        explained, by_pca = (1 - missed.compute() / total.compute().sum()).tolist()
        return Outcome(
            {
                "explained": Value(explained, "share of the variance"),
                "pca": Value(by_pca, "share of the variance"),
            }
        )
