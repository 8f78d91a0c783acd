"""Latent traversals as a film."""

import re
from dataclasses import dataclass

import torch
from torch import Tensor

from vaesweep import figures
from vaesweep.evaluation.context import EvalContext
from vaesweep.evaluation.measure_interface import MeasureResult
from vaesweep.figures.figure_text import dimension_names, expectation, label_text
from vaesweep.figures.model_figures import traversal_codes
from vaesweep.metrics import activity
from vaesweep.models.distributions import Dirac
from vaesweep.settings.check_arguments import check_int


@dataclass(frozen=True)
class Traversal:
    """A film of the `dims` most informative latent dimensions, each moving through its range and back in `frames`.

    Each row starts from the code of one image; each column moves one dimension of it, and is named by its KL or its
    variance over the test split.
    """

    dims: int
    rows: int
    frames: int

    def __post_init__(self) -> None:
        for key in ("dims", "rows", "frames"):
            check_int(key, getattr(self, key))

    def __call__(self, context: EvalContext) -> MeasureResult:
        batch = context.examples(1000)
        model, posterior = context.model, context.model.posterior(*batch)
        activities = self.activities(context)
        order = activities.argsort(descending=True)[: self.dims]
        film = []
        paths = [traversal_codes(posterior, order, self.frames, row) for row in range(min(self.rows, len(batch.image)))]
        # a column is narrow: a line for the dimension, and two for its KL or variance
        named = dimension_names(posterior, order, activities)
        names = [re.sub(" · |(?<=variance) |(?<=KL) ", "\n", name) for name in named]
        rows = [label_text(model, batch.label[row]) for row in range(len(paths))]
        title = f"{expectation(model)}: each column moves one latent dimension"
        for frame in context.track(range(self.frames), self.frames):
            images = [
                model.generate(z[:, frame], batch.label[row].expand(len(z), -1)) for row, (_, z) in enumerate(paths)
            ]
            if context.declaration.rate:
                # all dimensions go through the same values
                position = f"at z = {round(paths[0][0][0, frame].item(), 1) + 0.0:+.1f}"
            else:
                share = 100 * frame / max(1, self.frames - 1)
                position = f"at {share:.0f} % of the way from the 1 % to the 99 % quantile of the codes"
            film.append(figures.panel(title, torch.stack(images), rows, names, position))
        return MeasureResult(figures={"traversal": film + film[-2:0:-1]})

    def activities(self, context: EvalContext) -> Tensor:
        """How informative each dimension is over the whole test split [d], as the figure of the posterior has it."""
        is_point = context.declaration.rate is None
        return activity(Dirac(context.codes("test").mean) if is_point else context.posterior("test"))
