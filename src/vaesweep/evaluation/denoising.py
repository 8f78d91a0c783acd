"""How a member stands noise that it may never have seen."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from matplotlib.figure import Figure
from torch import Tensor
from torch.nn.functional import mse_loss as mse

from vaesweep import figures
from vaesweep.checks import Invalid, choice, whole
from vaesweep.evaluation.outcome import Outcome, Value
from vaesweep.evaluation.subject import Subject
from vaesweep.family.denoising import CORRUPTIONS, checked_level, corrupted
from vaesweep.metrics import Average
from vaesweep.terms import Batch

SHOWN = 10


@dataclass(frozen=True)
class Denoising:
    """Robustness curves: PSNR of reconstructions from corrupted test images against the clean ones, by `levels`.

    `corruptions` and their levels are those of `family.Denoising`; the PSNR is -10 log10 mse, in dB, over `images`.
    """

    corruptions: Sequence[str]
    levels: Sequence[float]
    images: int

    def __post_init__(self) -> None:
        whole("images", self.images)
        for key in ("corruptions", "levels"):
            given = getattr(self, key)
            if not isinstance(given, list | tuple) or not given:
                raise Invalid(key, given, "a list that is not empty")
        for corruption in self.corruptions:
            choice("corruptions", corruption, CORRUPTIONS)
            for level in self.levels:
                checked_level(corruption, level, key="levels")

    def __call__(self, subject: Subject) -> Outcome:
        made = Outcome(series={"level": [float(level) for level in self.levels]})
        shown = subject.examples(min(SHOWN, self.images))
        drawn: dict[str, Figure | list[Figure]] = {}
        for corruption in self.corruptions:
            ours, untouched = self.curve(subject, corruption)
            made.series[corruption] = ours
            for level, value in zip(self.levels, ours, strict=True):
                made.values[f"{corruption}_{level:g}"] = Value(value, "dB")
            curves = {"reconstructed": ours, "the noisy image itself": untouched}
            title = f"Reconstruction under {corruption.replace('_', ' ')} noise"
            x, y = ("noise level", self.levels), "PSNR against the clean image (dB)"
            drawn[f"robustness_{corruption}"] = figures.lines(title, x, y, curves)
            drawn[f"denoised_{corruption}"] = self.pictures(subject, corruption, shown)
        made.figures = drawn
        return made

    def curve(self, subject: Subject, corruption: str) -> tuple[list[float], list[float]]:
        """PSNR by level: of reconstructions, and of the corrupted images themselves (infinite at level 0)."""
        score = Average()
        for i, batch in enumerate(subject.batches("test", self.images)):
            scores = []
            for seen in self.noisy(subject, corruption, batch, i):
                scores += [mse(image, batch.image) for image in (subject.reconstruct(seen, batch.label), seen)]
            score.update(torch.stack(scores).cpu(), len(batch.image))
        ours, untouched = (-10 * score.compute().log10()).view(-1, 2).T.tolist()
        return ours, untouched

    def noisy(self, subject: Subject, corruption: str, batch: Batch, number: int) -> list[Tensor]:
        """The images of a batch at every level, by the same draw."""
        noise = torch.randn(batch.image.shape, generator=subject.draw("noise", number), device=subject.device)
        levels = [torch.tensor(float(level), device=subject.device) for level in self.levels]
        return [corrupted(batch.image, noise, corruption, level) for level in levels]

    def pictures(self, subject: Subject, corruption: str, batch: Batch) -> Figure:
        """A row of noisy images a level, and below it what becomes of them."""
        rows = [
            row
            for seen in self.noisy(subject, corruption, batch, 0)
            for row in (seen, subject.reconstruct(seen, batch.label))
        ]
        names = [name for level in self.levels for name in (f"{corruption} {level:g}", "reconstructed")]
        return figures.panel("From noisy images", torch.stack(rows), rows=names)
