"""How faithful reconstructions are."""

from dataclasses import dataclass
from typing import cast

from torch import Tensor
from torchmetrics.image import PeakSignalNoiseRatio, StructuralSimilarityIndexMeasure
from torchmetrics.regression import MeanSquaredError

from vaesweep.evaluation.outcome import Outcome, Value
from vaesweep.evaluation.subject import Subject

WINDOW = 11
"""Pixels a side of the window of SSIM."""


@dataclass(frozen=True)
class Reconstruction:
    """mse, PSNR = -10 log10 mse, and SSIM (Wang et al. 2004) of E[x|z] at the posterior mean, over the test split."""

    def __call__(self, subject: Subject) -> Outcome:
        mse = MeanSquaredError().to(subject.device)
        psnr = PeakSignalNoiseRatio(data_range=1.0).to(subject.device)
        ssim = StructuralSimilarityIndexMeasure(data_range=1.0).to(subject.device)
        large = min(subject.member.image_shape[1:]) >= WINDOW
        for batch in subject.batches("test"):
            output = subject.reconstruct(batch.image, batch.label)
            mse.update(output, batch.image)
            psnr.update(output, batch.image)
            if large:
                ssim.update(output, batch.image)
        made = Outcome({"mse": Value(mse.compute().item(), "per pixel"), "psnr": Value(psnr.compute().item(), "dB")})
        if large:
            made.values["ssim"] = Value(float(cast(Tensor, ssim.compute())), "at most 1")
        else:
            made.absent["ssim"] = f"its window is {WINDOW} x {WINDOW}, larger than the images"
        return made
