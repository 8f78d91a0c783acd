"""The rows of a figure of sampled images: their labels, their names, and what is left out."""

import torch
from torch import Tensor

from vaesweep.evaluation.context import EvalContext
from vaesweep.figures.figure_text import class_name
from vaesweep.figures.model_figures import CLASSES

ROWS, COLUMNS = 8, 12
"""Rows where they are no classes, and images in each."""


def rows_of_labels(context: EvalContext) -> Tensor:
    """Labels [N, factors] of N images to be drawn, in rows of `COLUMNS`; of a conditional model a row a class."""
    model, conditional = context.model, context.declaration.conditional
    rows = min(model.classes, CLASSES) if conditional else ROWS
    label = context.examples(1).label.repeat(rows * COLUMNS, 1)
    if conditional:
        label[:, 0] = torch.arange(rows, device=label.device).repeat_interleave(COLUMNS)
    return label


def row_names(context: EvalContext) -> list[str]:
    """The names of the rows of `rows_of_labels`; none where they are no classes."""
    if not context.declaration.conditional:
        return []
    return [class_name(context.model, i) for i in range(min(context.model.classes, CLASSES))]


def rows_left_out(context: EvalContext) -> str:
    """What a figure says below its rows where not every class has one; nothing where every class has."""
    shown, classes = len(row_names(context)), context.model.classes
    return f"{shown} of {classes} classes" if 0 < shown < classes else ""
