"""Interpolation between images in code space."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from vaesweep import figures
from vaesweep.evaluation.context import EvalContext
from vaesweep.evaluation.measure_interface import MeasureResult, NotApplicable
from vaesweep.figures.figure_text import expectation, label_text
from vaesweep.settings.check_arguments import check_int


def lerp(start: Tensor, end: Tensor, share: Tensor) -> Tensor:
    """The line (1 - t) start + t end, [K, d] for `share` t [K]."""
    return start + share[:, None] * (end - start)


def slerp(start: Tensor, end: Tensor, share: Tensor) -> Tensor:
    """The arc from `start` to `end` [d], [K, d] for `share` t [K]: (sin((1 - t) w) start + sin(t w) end) / sin w.

    w is the angle between them (Shoemake 1985; White 2016, sec. 2.1), so that points on the way are as far from the
    origin as draws of a normal prior are. A straight line if the two are (anti)parallel, or one is 0.
    """
    cosine = torch.nn.functional.cosine_similarity(start, end, dim=0)
    angle = cosine.clamp(-1, 1).arccos()
    if angle.sin().abs() < 1e-3 or start.norm() * end.norm() == 0:
        return lerp(start, end, share)
    weights = torch.stack([((1 - share) * angle).sin(), (share * angle).sin()], dim=1) / angle.sin()
    return weights @ torch.stack([start, end])


@dataclass(frozen=True)
class Interpolation:
    """Decoded codes between `pairs` of test images, along a line and along a sphere.

    The two are of different classes if there are several, and of one class for a conditional model.
    """

    pairs: int
    steps: int

    def __post_init__(self) -> None:
        check_int("pairs", self.pairs)
        check_int("steps", self.steps, 2)

    def __call__(self, context: EvalContext) -> MeasureResult:
        model, share = context.model, torch.linspace(0, 1, self.steps, device=context.device)
        batch = context.examples(20 * self.pairs)
        codes, classes = model.posterior(*batch).mean, batch.label[:, 0]
        rows, names = [], []
        for a, b in image_pairs(classes.tolist(), same_class=context.declaration.conditional)[: self.pairs]:
            for name, path in (("linear", lerp), ("spherical", slerp)):
                z = path(codes[a], codes[b], share)
                rows.append(model.generate(z, batch.label[a].expand(len(z), -1)))
                names.append(" · ".join(filter(None, (name, label_text(model, batch.label[a])))))
        if not rows:
            raise NotApplicable("there are fewer than two test images to go between")
        columns = [f"{t:.3g}" for t in share.tolist()]
        images = torch.stack(rows)
        title = f"{expectation(model)} for z between the codes of two test images"
        figure = figures.panel(title, images, names, columns, "share of the way")
        return MeasureResult(figures={"interpolation": figure})


def image_pairs(classes: Sequence[int], same_class: bool) -> list[tuple[int, int]]:
    """Pairs of images by index, each in one pair, of the same class or of different ones; neighbours if one class."""
    if len(set(classes)) < 2:
        return [(a, a + 1) for a in range(0, len(classes) - 1, 2)]
    candidates, pairs = list(range(len(classes))), list[tuple[int, int]]()
    while candidates:
        a = candidates.pop(0)
        b = next((b for b in candidates if (classes[b] == classes[a]) == same_class), None)
        if b is not None:
            candidates.remove(b)
            pairs.append((a, b))
    return pairs
