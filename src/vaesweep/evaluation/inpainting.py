"""Inpainting of a hidden square of an image."""

from dataclasses import dataclass

import torch
from torch import Tensor

from vaesweep import figures
from vaesweep.checks import check_float, check_int
from vaesweep.evaluation.context import EvalContext
from vaesweep.evaluation.result import MeasureResult, Value
from vaesweep.models.terms import Batch

SHOWN, KNOWN = 10, 5000


@dataclass(frozen=True)
class Inpainting:
    """PSNR of inpainting a square of `share` of each side in the middle of each of `images` test images.

    `decoded`: by the reconstruction of the image with 0 in the square. `optimised`: by E[x|z] at the z that explains
    the visible pixels best, argmin_z -log p(x_visible|z), and - log p(z) if there is a prior; from the code of the
    masked image in `steps` steps of Adam. The PSNR in dB is of the square alone, all images pooled, beside that of the
    mean of `KNOWN` training images.
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
        hidden = self.square(batch.image)
        masked = batch.image.masked_fill(hidden, 0)
        filled = {
            "decoded": context.reconstruct(masked, batch.label),
            "optimised": context.model.generate(self.search(context, batch, masked, hidden), batch.label),
            "mean_image": torch.cat([b.image for b in context.batches("train", KNOWN)]).mean(0).expand_as(masked),
        }
        square = hidden.expand_as(masked)
        values = {
            name: Value(-10 * (output - batch.image)[square].square().mean().log10().item(), "dB in the square")
            for name, output in filled.items()
        }
        rows = [
            batch.image,
            masked,
            *(torch.where(hidden, filled[name], batch.image) for name in ("decoded", "optimised")),
        ]
        names = ["original", "masked", "decoded", "optimised z"]
        shown = torch.stack([row[:SHOWN] for row in rows])
        return MeasureResult(values, figures={"inpainting": figures.panel("Filled in", shown, rows=names)})

    def square(self, image: Tensor) -> Tensor:
        """Which pixels are hidden [1, 1, H, W]."""
        height, width = image.shape[2:]
        tall, wide = (max(1, round(side * self.share)) for side in (height, width))
        hidden = torch.zeros(1, 1, height, width, dtype=torch.bool, device=image.device)
        top, left = (height - tall) // 2, (width - wide) // 2
        hidden[..., top : top + tall, left : left + wide] = True
        return hidden

    @torch.enable_grad()
    def search(self, context: EvalContext, batch: Batch, masked: Tensor, hidden: Tensor) -> Tensor:
        """The best codes [B, d] for the visible pixels. Steps are in standard deviations of the codes."""
        model, label = context.model, batch.label
        start = model.posterior(masked, label).mean.detach()
        scale = context.codes("train", KNOWN).mean.std(0)
        steps = torch.zeros_like(start, requires_grad=True)
        adam = torch.optim.Adam([steps], lr=0.05)
        visible = (~hidden).float()
        for _ in context.track(range(self.steps), self.steps):
            z = start + scale * steps
            # a likelihood sums over all pixels: with eta = x = 0 the hidden ones add a constant
            loss = model.likelihood.nll(model.decode(z, label) * visible, masked).sum()
            if context.declared.rate:
                loss = loss + z.square().sum() / 2
            (steps.grad,) = torch.autograd.grad(loss, steps)
            adam.step()
        return (start + scale * steps).detach()
