"""Inpainting of a hidden square of an image."""

from dataclasses import dataclass

import torch
from torch import Tensor

from vaesweep import figures
from vaesweep.evaluation.context import EvalContext
from vaesweep.evaluation.measure_interface import MeasureResult, Value
from vaesweep.figures.figure_text import expectation
from vaesweep.models.types import Batch
from vaesweep.settings.check_arguments import check_float, check_int

COLUMNS, TRAINING_IMAGES = 10, 5000


@dataclass(frozen=True)
class Inpainting:
    """PSNR of inpainting a square of `share` of each side in the middle of each of `images` test images.

    `decoded`: by the reconstruction of the image with 0 in the square. `optimised`: by E[x|z] at the z that explains
    the visible pixels best, argmin_z -log p(x_visible|z), and - log p(z) if there is a prior; from the code of the
    masked image in `steps` steps of Adam. The PSNR in dB is of the square alone, all images pooled, beside that of the
    mean of `TRAINING_IMAGES` training images.
    """

    share: float
    images: int
    steps: int

    def __post_init__(self) -> None:
        check_float("share", self.share, 0, 1, strict=True)
        check_int("images", self.images)
        check_int("steps", self.steps)

    def __call__(self, context: EvalContext) -> MeasureResult:
        batch = context.examples(self.images)
        mask = self.square_mask(batch.image)
        masked_images = batch.image.masked_fill(mask, 0)
        mean_image = torch.cat([b.image for b in context.batches("train", TRAINING_IMAGES)]).mean(0)
        outputs = {
            "decoded": context.reconstruct(masked_images, batch.label),
            "optimised": context.model.generate(self.optimise_codes(context, batch, masked_images, mask), batch.label),
            "mean_image": mean_image.expand_as(masked_images),
        }
        square = mask.expand_as(masked_images)
        values = {
            name: Value(-10 * (output - batch.image)[square].square().mean().log10().item(), "dB in the square")
            for name, output in outputs.items()
        }
        rows = [
            batch.image,
            masked_images,
            *(torch.where(mask, outputs[name], batch.image) for name in ("decoded", "optimised")),
        ]
        names = ["original", "masked", "decoded", "optimised z"]
        images = torch.stack([row[:COLUMNS] for row in rows])
        title = f"A hidden square filled in by {expectation(context.model)}"
        return MeasureResult(values, figures={"inpainting": figures.panel(title, images, rows=names)})

    def square_mask(self, image: Tensor) -> Tensor:
        """Which pixels are hidden [1, 1, H, W]."""
        height, width = image.shape[2:]
        square_height, square_width = (max(1, round(side * self.share)) for side in (height, width))
        mask = torch.zeros(1, 1, height, width, dtype=torch.bool, device=image.device)
        top, left = (height - square_height) // 2, (width - square_width) // 2
        mask[..., top : top + square_height, left : left + square_width] = True
        return mask

    @torch.enable_grad()
    def optimise_codes(self, context: EvalContext, batch: Batch, masked_images: Tensor, mask: Tensor) -> Tensor:
        """The best codes [B, d] for the visible pixels. Steps are in standard deviations of the codes."""
        model, label = context.model, batch.label
        start = model.posterior(masked_images, label).mean.detach()
        scale = context.codes("train", TRAINING_IMAGES).mean.std(0)
        steps = torch.zeros_like(start, requires_grad=True)
        adam = torch.optim.Adam([steps], lr=0.05)
        visible_pixels = (~mask).float()
        for _ in context.track(range(self.steps), self.steps):
            z = start + scale * steps
            # a likelihood sums over all pixels: with eta = x = 0 the hidden ones add a constant
            loss = model.likelihood.nll(model.decode(z, label) * visible_pixels, masked_images).sum()
            if context.declaration.rate:
                loss = loss + z.square().sum() / 2
            (steps.grad,) = torch.autograd.grad(loss, steps)
            adam.step()
        return (start + scale * steps).detach()
