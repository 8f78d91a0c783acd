"""New images, decoded from draws of the prior."""

from dataclasses import dataclass

import torch

from vaesweep import figures
from vaesweep.evaluation.context import EvalContext
from vaesweep.evaluation.measure_interface import MeasureResult, NotApplicable
from vaesweep.evaluation.sample_figure_rows import COLUMNS, row_names, rows_left_out, rows_of_labels
from vaesweep.figures.figure_text import expectation


@dataclass(frozen=True)
class Samples:
    """Decoded draws of N(0, I), the prior.

    For conditional models each row of draws is decoded as one class, of 20 at most, and another figure decodes the same
    draws as each of these classes.
    """

    def __call__(self, context: EvalContext) -> MeasureResult:
        if not context.declaration.rate:
            raise NotApplicable("a point code has no prior")
        model, label = context.model, rows_of_labels(context)
        rows, below = row_names(context), rows_left_out(context)
        z = torch.randn(len(label), model.latent_dim, generator=context.draw("samples"), device=context.device)
        title = expectation(model)
        images = model.generate(z, label).unflatten(0, (-1, COLUMNS))
        found = {"samples": figures.samples(images, rows, title, below)}
        if context.declaration.conditional:
            # the first row of draws, decoded as each class
            images = model.generate(z[:COLUMNS].repeat(len(rows), 1), label).unflatten(0, (-1, COLUMNS))
            title += " of the same draws z as each class y"
            found["conditional"] = figures.panel(title, images, rows, below=below)
        return MeasureResult(figures=found)
