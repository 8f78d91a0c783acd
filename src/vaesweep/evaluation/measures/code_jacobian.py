"""Sensitivity of the code to changes of the image."""

from dataclasses import dataclass
from functools import partial

import torch
from torch import Tensor

from vaesweep import figures
from vaesweep.evaluation.context import EvalContext
from vaesweep.evaluation.measure_interface import MeasureResult, Value
from vaesweep.models import Autoencoder
from vaesweep.models.jacobian import jacobian
from vaesweep.settings.check_arguments import check_int


@dataclass(frozen=True)
class CodeJacobian:
    """The Jacobian of the code, dz/dx, at `images` of the test split (Rifai et al. 2011, sec. 3 and 5.3).

    `frobenius` is the mean of ||dz/dx||_F; the singular values, in falling order, are means over images too.
    """

    images: int

    def __post_init__(self) -> None:
        check_int("images", self.images)

    def __call__(self, context: EvalContext) -> MeasureResult:
        parts = []
        for batch in context.batches("test", self.images):
            rows = jacobian(partial(code, context.model, batch.label), batch.image)
            parts.append(torch.linalg.svdvals(rows.transpose(0, 1).flatten(2)).cpu())
        singular_values = torch.cat(parts)
        mean = singular_values.mean(0)
        unit = "norm of dz per norm of dx"
        return MeasureResult(
            {
                "frobenius": Value(singular_values.norm(dim=1).mean().item(), unit),
                "largest": Value(mean[0].item(), unit),
                "smallest": Value(mean[-1].item(), unit),
            },
            series={"singular_values": mean.tolist()},
            figures={"code_jacobian": figures.spectrum("How the code follows the image", singular_values)},
        )


def code(model: Autoencoder, label: Tensor, image: Tensor) -> Tensor:
    """The posterior mean [B, d]."""
    return model.posterior(image, label).mean
