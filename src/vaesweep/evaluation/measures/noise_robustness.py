"""Robustness of reconstructions to noise in the images."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from matplotlib.figure import Figure
from torch import Tensor
from torch.nn.functional import mse_loss as mse

from vaesweep import figures
from vaesweep.errors import ConfigError
from vaesweep.evaluation.context import EvalContext
from vaesweep.evaluation.measure_interface import MeasureResult, Value
from vaesweep.figures.figure_text import expectation
from vaesweep.metrics import Average
from vaesweep.models.corruption import CORRUPTIONS, check_level, corrupt_image
from vaesweep.models.types import Batch
from vaesweep.settings.check_arguments import check_choice, check_int

COLUMNS = 10
LEVELS = {
    "gaussian": "standard deviation of the noise",
    "masking": "share of pixels set to 0",
    "salt_pepper": "share of pixels set to 0 or 1",
}
"""What the level of a corruption is."""


@dataclass(frozen=True)
class NoiseRobustness:
    """Robustness curves: PSNR of reconstructions from corrupted test images against the clean ones, by `levels`.

    `corruptions` and their levels are those of `corrupt_image`; the PSNR is -10 log10 mse, in dB, over `images`.
    """

    corruptions: Sequence[str]
    levels: Sequence[float]
    images: int

    def __post_init__(self) -> None:
        check_int("images", self.images)
        for key in ("corruptions", "levels"):
            values = getattr(self, key)
            if not isinstance(values, list | tuple) or not values:
                raise ConfigError(key, values, "a list that is not empty")
        for corruption in self.corruptions:
            check_choice("corruptions", corruption, CORRUPTIONS)
            for level in self.levels:
                check_level(corruption, level, key="levels")

    def __call__(self, context: EvalContext) -> MeasureResult:
        result = MeasureResult(series={"level": [float(level) for level in self.levels]})
        examples = context.examples(min(COLUMNS, self.images))
        figures_by_name: dict[str, Figure | list[Figure]] = {}
        for corruption in self.corruptions:
            reconstruction_psnr, noisy_psnr = self.curve(context, corruption)
            result.series[corruption] = reconstruction_psnr
            for level, value in zip(self.levels, reconstruction_psnr, strict=True):
                result.values[f"{corruption}_{level:g}"] = Value(value, "dB")
            curves = {"reconstructed": reconstruction_psnr, "the noisy image itself": noisy_psnr}
            title = f"Reconstruction under {corruption.replace('_', ' ')} noise"
            x, y = (LEVELS.get(corruption, "noise level"), self.levels), "PSNR against the clean image (dB)"
            figures_by_name[f"robustness_{corruption}"] = figures.lines(title, x, y, curves)
            figures_by_name[f"denoised_{corruption}"] = self.pictures(context, corruption, examples)
        result.figures = figures_by_name
        return result

    def curve(self, context: EvalContext, corruption: str) -> tuple[list[float], list[float]]:
        """PSNR by level: of reconstructions, and of the corrupted images themselves (infinite at level 0)."""
        score = Average()
        for i, batch in enumerate(context.batches("test", self.images)):
            scores = []
            for noisy_images in self.add_noise(context, corruption, batch, i):
                scores += [
                    mse(image, batch.image) for image in (context.reconstruct(noisy_images, batch.label), noisy_images)
                ]
            score.update(torch.stack(scores).cpu(), len(batch.image))
        reconstruction_psnr, noisy_psnr = (-10 * score.compute().log10()).view(-1, 2).T.tolist()
        return reconstruction_psnr, noisy_psnr

    def add_noise(self, context: EvalContext, corruption: str, batch: Batch, number: int) -> list[Tensor]:
        """The images of a batch with noise of every level, from one draw."""
        noise = torch.randn(batch.image.shape, generator=context.draw("noise", number), device=context.device)
        levels = [torch.tensor(float(level), device=context.device) for level in self.levels]
        return [corrupt_image(batch.image, noise, corruption, level) for level in levels]

    def pictures(self, context: EvalContext, corruption: str, batch: Batch) -> Figure:
        """A row of noisy images per level, with their reconstructions below."""
        rows = [
            row
            for noisy_images in self.add_noise(context, corruption, batch, 0)
            for row in (noisy_images, context.reconstruct(noisy_images, batch.label))
        ]
        names = [name for level in self.levels for name in (f"{corruption} {level:g}", "reconstructed")]
        return figures.panel(f"{expectation(context.model)} from noisy test images", torch.stack(rows), rows=names)
