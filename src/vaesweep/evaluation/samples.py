"""New images: from the prior, and from a density fitted to the codes."""

from dataclasses import dataclass

import numpy as np
import torch
from matplotlib.figure import Figure
from sklearn.mixture import GaussianMixture
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler
from torch import Tensor

from vaesweep import figures
from vaesweep.checks import whole
from vaesweep.evaluation.outcome import Outcome, Value
from vaesweep.evaluation.subject import Subject
from vaesweep.family import Conditional

ROWS, COLUMNS = 8, 12
IMAGES = 10
"""Images a component and dimension, below which full covariances learn them by heart."""


@dataclass(frozen=True)
class Samples:
    """Decoded draws of N(0, I) where that is the prior, and of a Gaussian mixture fitted after training.

    The mixture, of `components` with full covariances, is fitted to the posterior means of `images` training images,
    which gives a density to members without a prior (Ghosh et al. 2020, sec. 4). For conditional members each row of
    draws is decoded as one class, and another figure decodes the same draws as every class. `code_density` is
    the mixture's mean log density of the test images' codes less that of one Gaussian fitted to the same codes.
    """

    components: int
    images: int

    def __post_init__(self) -> None:
        whole("components", self.components)
        whole("images", self.images)

    def __call__(self, subject: Subject) -> Outcome:
        member, drawn = subject.member, dict[str, Figure | list[Figure]]()
        count = member.classes if isinstance(member, Conditional) else ROWS
        rows = [f"class {i}" for i in range(count)] if isinstance(member, Conditional) else []
        label = subject.examples(1).label.repeat(count * COLUMNS, 1)
        if rows:
            label[:, 0] = torch.arange(count, device=label.device).repeat_interleave(COLUMNS)
        if subject.has_posterior:
            shape = len(label), member.latent_dim
            z = torch.randn(shape, generator=subject.draw("samples"), device=subject.device)
            drawn["samples"] = figures.samples(member.generate(z, label).unflatten(0, (count, COLUMNS)), rows)
        if isinstance(member, Conditional):
            drawn["conditional"] = self.conditional(subject, member, z[:COLUMNS])
        codes, _ = subject.codes("train", self.images).numpy()
        test, _ = subject.codes("test").numpy()
        single, mixture = (fitted(codes, most, subject.seed) for most in (1, self.components))
        gain = float(mixture.score(test) - single.score(test))
        chosen, _ = mixture[-1].sample(len(label))
        # they come sorted by component
        order = torch.randperm(len(label), generator=subject.draw("order"), device=subject.device)
        z = torch.from_numpy(mixture[0].inverse_transform(chosen)).float().to(subject.device)[order]
        title = f"E[x|z] for z drawn from a mixture of {mixture[-1].n_components} Gaussians fitted to the codes"
        drawn["mixture_samples"] = figures.panel(title, member.generate(z, label).unflatten(0, (count, COLUMNS)), rows)
        return Outcome({"code_density": Value(gain, "nats over one Gaussian")}, figures=drawn)

    def conditional(self, subject: Subject, member: Conditional, z: Tensor) -> Figure:
        """The same draws `z` [K, d] as every class: a row a class, a column a draw."""
        label = torch.arange(member.classes, device=z.device).repeat_interleave(len(z))[:, None]
        images = member.generate(z.repeat(member.classes, 1), label).unflatten(0, (member.classes, len(z)))
        return figures.panel("The same draws as every class", images, [f"class {i}" for i in range(member.classes)])


def fitted(codes: np.ndarray, components: int, seed: int) -> Pipeline:
    """A Gaussian mixture over standardised codes [N, d], in which a dimension that hardly varies does no harm.

    Of up to `components`, but with no fewer than `IMAGES` images for each dimension of each.
    """
    enough = max(1, len(codes) // (IMAGES * codes.shape[1]))
    mixture = GaussianMixture(min(components, enough), reg_covar=1e-4, random_state=seed)
    return make_pipeline(StandardScaler(), mixture).fit(codes.astype(np.float64))
