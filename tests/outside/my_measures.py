"""A measure: how sharp reconstructions are."""

from dataclasses import dataclass

from vaesweep.evaluation import EvalContext, MeasureResult, Value


@dataclass(frozen=True)
class Sharpness:
    """Mean absolute difference of neighbouring pixels, of reconstructions over that of `images` test images."""

    images: int

    def __call__(self, context: EvalContext) -> MeasureResult:
        batch = context.examples(self.images)
        ratio = edges(context.reconstruct(*batch)) / edges(batch.image)
        return MeasureResult({"ratio": Value(ratio.item(), "1 is as sharp as the images")})


def edges(image):
    """Mean |x_i - x_i+1| over rows."""
    return image.diff(dim=-1).abs().mean()
