"""A density fitted to the codes after training, and new images drawn from it."""

from dataclasses import dataclass

import numpy as np
import torch
from sklearn.mixture import GaussianMixture
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler

from vaesweep import figures
from vaesweep.evaluation.context import EvalContext
from vaesweep.evaluation.measure_interface import MeasureResult, Value
from vaesweep.evaluation.sample_figure_rows import COLUMNS, row_names, rows_left_out, rows_of_labels
from vaesweep.figures.figure_text import expectation
from vaesweep.settings.check_arguments import check_int

IMAGES = 10
"""Images per component and dimension; with fewer, full covariances overfit."""


@dataclass(frozen=True)
class ExPostDensity:
    """Decoded draws of a Gaussian mixture fitted to the codes, which gives a density to models without a prior.

    The mixture, of `components` with full covariances, is fitted to the posterior means of `images` training images
    (Ghosh et al. 2020, sec. 4). For conditional models each row of draws is decoded as one class. `code_density` is
    the mixture's mean log density of the test images' codes minus that of one Gaussian fitted to the same codes.
    """

    components: int
    images: int

    def __post_init__(self) -> None:
        check_int("components", self.components)
        check_int("images", self.images)

    def __call__(self, context: EvalContext) -> MeasureResult:
        model, label = context.model, rows_of_labels(context)
        codes, _ = context.codes("train", self.images).numpy()
        test_codes, _ = context.codes("test").numpy()
        gaussian, mixture = (fit_mixture(codes, components, context.seed) for components in (1, self.components))
        gain = float(mixture.score(test_codes) - gaussian.score(test_codes))
        standard_codes, _ = mixture[-1].sample(len(label))
        # they come sorted by component
        order = torch.randperm(len(label), generator=context.draw("order"), device=context.device)
        z = torch.from_numpy(mixture[0].inverse_transform(standard_codes)).float().to(context.device)[order]
        drawn = f"z drawn from a mixture of {mixture[-1].n_components} Gaussians fitted to the codes"
        images = model.generate(z, label).unflatten(0, (-1, COLUMNS))
        title = f"{expectation(model)} for {drawn}"
        figure = figures.panel(title, images, row_names(context), below=rows_left_out(context))
        density = {"code_density": Value(gain, "nats per code, above one Gaussian")}
        return MeasureResult(density, figures={"mixture_samples": figure})


def fit_mixture(codes: np.ndarray, components: int, seed: int) -> Pipeline:
    """A Gaussian mixture over codes [N, d], standardised so that a nearly constant dimension does no harm.

    It has up to `components` components, with at least `IMAGES` images per component and dimension.
    """
    enough = max(1, len(codes) // (IMAGES * codes.shape[1]))
    mixture = GaussianMixture(min(components, enough), reg_covar=1e-4, random_state=seed)
    return make_pipeline(StandardScaler(), mixture).fit(codes.astype(np.float64))
