"""Code arithmetic: adds the difference of two classes' mean codes to codes of images."""

from dataclasses import dataclass

import torch

from vaesweep import figures
from vaesweep.evaluation.context import EvalContext
from vaesweep.evaluation.measure_interface import MeasureResult, NotApplicable, Value
from vaesweep.settings.check_arguments import check_int

ROWS, STEPS = 8, 7


@dataclass(frozen=True)
class Arithmetic:
    """Decodes z + t (mean code of class `a` - that of `b`) for test images of class b (Radford et al. 2016, fig. 7).

    `class_0_becomes_1`, for b = 0 and a = 1, is the share of class b's test images whose code at t = 1 is nearer to
    the mean of a than to that of any other class; the means are those of the codes of `images` training images.
    """

    a: int
    b: int
    images: int

    def __post_init__(self) -> None:
        check_int("a", self.a, 0)
        check_int("b", self.b, 0)
        check_int("images", self.images)

    def __call__(self, context: EvalContext) -> MeasureResult:
        if context.declaration.conditional:
            raise NotApplicable("the model is given the class, which its codes therefore leave out")
        train_codes = context.codes("train", self.images)
        classes = train_codes.label[:, 0].unique().tolist()
        if len(classes) < 2:
            raise NotApplicable("the images have no classes")
        if not {self.a, self.b} <= set(classes):
            raise NotApplicable(f"classes {self.a} and {self.b} are not both among {', '.join(map(str, classes))}")
        means = torch.stack([train_codes.mean[train_codes.label[:, 0] == c].mean(0) for c in classes])
        step = means[classes.index(self.a)] - means[classes.index(self.b)]
        test_codes = context.codes("test")
        is_class_b = test_codes.label[:, 0] == self.b
        z, label = test_codes.mean[is_class_b], test_codes.label[is_class_b]
        if len(z) == 0:
            raise NotApplicable(f"the test split has no image of class {self.b}")
        is_moved = torch.cdist(z + step, means).argmin(1) == classes.index(self.a)
        share = torch.linspace(0, 1.5, STEPS, device=context.device)
        codes_on_line = z[:ROWS, None] + share[:, None] * step
        images = context.model.generate(codes_on_line.flatten(0, 1), label[:ROWS].repeat_interleave(STEPS, 0))
        figure = figures.panel(
            f"Images of class {self.b}, plus t times\n(mean code of class {self.a} - mean code of class {self.b})",
            images.unflatten(0, codes_on_line.shape[:2]),
            columns=[f"{t:.2f}" for t in share.tolist()],
            below="t",
        )
        share_moved = Value(is_moved.float().mean().item(), f"share of images of class {self.b}")
        values = {f"class_{self.b}_becomes_{self.a}": share_moved}
        return MeasureResult(values, figures={"arithmetic": figure})
