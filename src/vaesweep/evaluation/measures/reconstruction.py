"""Quality of reconstructions."""

from dataclasses import dataclass
from typing import cast

from torch import Tensor
from torchmetrics.image import PeakSignalNoiseRatio, StructuralSimilarityIndexMeasure
from torchmetrics.regression import MeanSquaredError

from vaesweep.evaluation.context import EvalContext
from vaesweep.evaluation.measure_interface import MeasureResult, Value

WINDOW = 11
"""Pixels per side of the window of SSIM."""


@dataclass(frozen=True)
class Reconstruction:
    """mse, PSNR = -10 log10 mse, and SSIM (Wang et al. 2004) of E[x|z] at the posterior mean, over the test split."""

    def __call__(self, context: EvalContext) -> MeasureResult:
        mse = MeanSquaredError().to(context.device)
        psnr = PeakSignalNoiseRatio(data_range=1.0).to(context.device)
        ssim = StructuralSimilarityIndexMeasure(data_range=1.0).to(context.device)
        large = min(context.model.image_shape[1:]) >= WINDOW
        for batch in context.batches("test"):
            output = context.reconstruct(batch.image, batch.label)
            mse.update(output, batch.image)
            psnr.update(output, batch.image)
            if large:
                ssim.update(output, batch.image)
        result = MeasureResult(
            {"mse": Value(mse.compute().item(), "per pixel"), "psnr": Value(psnr.compute().item(), "dB")}
        )
        if large:
            result.values["ssim"] = Value(float(cast(Tensor, ssim.compute())), "at most 1")
        else:
            result.absent["ssim"] = f"its window is {WINDOW} x {WINDOW}, larger than the images"
        return result
