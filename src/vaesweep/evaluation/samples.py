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
from vaesweep.evaluation.context import EvalContext
from vaesweep.evaluation.measure_interface import MeasureResult, Value
from vaesweep.figures.model_figures import expectation
from vaesweep.models import Autoencoder
from vaesweep.value_rules import check_int

ROWS, COLUMNS = 8, 12
IMAGES = 10
"""Images per component and dimension; with fewer, full covariances overfit."""


@dataclass(frozen=True)
class Samples:
    """Decoded draws of N(0, I) if that is the prior, and of a Gaussian mixture fitted after training.

    The mixture, of `components` with full covariances, is fitted to the posterior means of `images` training images,
    which gives a density to models without a prior (Ghosh et al. 2020, sec. 4). For conditional models each row of
    draws is decoded as one class, and another figure decodes the same draws as every class. `code_density` is
    the mixture's mean log density of the test images' codes minus that of one Gaussian fitted to the same codes.
    """

    components: int
    images: int

    def __post_init__(self) -> None:
        check_int("components", self.components)
        check_int("images", self.images)

    def __call__(self, context: EvalContext) -> MeasureResult:
        model, figures_by_name = context.model, dict[str, Figure | list[Figure]]()
        conditional = context.declaration.conditional
        count = model.classes if conditional else ROWS
        rows = [f"class {i}" for i in range(count)] if conditional else []
        label = context.examples(1).label.repeat(count * COLUMNS, 1)
        if conditional:
            label[:, 0] = torch.arange(count, device=label.device).repeat_interleave(COLUMNS)
        if context.declaration.rate:
            shape = len(label), model.latent_dim
            z = torch.randn(shape, generator=context.draw("samples"), device=context.device)
            images = model.generate(z, label).unflatten(0, (count, COLUMNS))
            figures_by_name["samples"] = figures.samples(images, rows, expectation(model))
            if conditional:
                figures_by_name["conditional"] = self.every_class(model, z[:COLUMNS])
        codes, _ = context.codes("train", self.images).numpy()
        test_codes, _ = context.codes("test").numpy()
        gaussian, mixture = (fit_mixture(codes, components, context.seed) for components in (1, self.components))
        gain = float(mixture.score(test_codes) - gaussian.score(test_codes))
        standard_codes, _ = mixture[-1].sample(len(label))
        # they come sorted by component
        order = torch.randperm(len(label), generator=context.draw("order"), device=context.device)
        z = torch.from_numpy(mixture[0].inverse_transform(standard_codes)).float().to(context.device)[order]
        drawn = f"z drawn from a mixture of {mixture[-1].n_components} Gaussians fitted to the codes"
        title = f"{expectation(model)} for {drawn}"
        figures_by_name["mixture_samples"] = figures.panel(
            title, model.generate(z, label).unflatten(0, (count, COLUMNS)), rows
        )
        return MeasureResult({"code_density": Value(gain, "nats over one Gaussian")}, figures=figures_by_name)

    def every_class(self, model: Autoencoder, z: Tensor) -> Figure:
        """The same draws `z` [K, d] decoded as every class: one row per class."""
        label = torch.arange(model.classes, device=z.device).repeat_interleave(len(z))[:, None]
        images = model.generate(z.repeat(model.classes, 1), label).unflatten(0, (model.classes, len(z)))
        return figures.panel(
            f"{expectation(model)} of the same draws z as every class y",
            images,
            [f"class {i}" for i in range(model.classes)],
        )


def fit_mixture(codes: np.ndarray, components: int, seed: int) -> Pipeline:
    """A Gaussian mixture over codes [N, d], standardised so that a nearly constant dimension does no harm.

    It has up to `components` components, with at least `IMAGES` images per component and dimension.
    """
    enough = max(1, len(codes) // (IMAGES * codes.shape[1]))
    mixture = GaussianMixture(min(components, enough), reg_covar=1e-4, random_state=seed)
    return make_pipeline(StandardScaler(), mixture).fit(codes.astype(np.float64))
