"""How a member stands noise that it may never have seen."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torchmetrics.functional.image import peak_signal_noise_ratio

from vaesweep import figures
from vaesweep.checks import Invalid, choice, whole
from vaesweep.evaluation.outcome import Outcome, Value
from vaesweep.evaluation.subject import Subject
from vaesweep.family.denoising import CORRUPTIONS, checked_level, corrupted
from vaesweep.metrics import Average

SHOWN = 10


@dataclass(frozen=True)
class Denoising:
    """The robustness curve: PSNR of reconstructions from corrupted test images against the clean ones, by `levels`.

    `corruption` and its levels are those of `family.Denoising`; the PSNR is the mean over the first `images`, in dB.
    """

    corruption: str
    levels: Sequence[float]
    images: int

    def __post_init__(self) -> None:
        choice("corruption", self.corruption, CORRUPTIONS)
        whole("images", self.images)
        if not isinstance(self.levels, list | tuple) or not self.levels:
            raise Invalid("levels", self.levels, "a list of numbers, such as [0, 0.2, 0.4]")
        for level in self.levels:
            checked_level(self.corruption, level, key="levels")

    def __call__(self, subject: Subject) -> Outcome:
        score = Average()
        for i, batch in enumerate(subject.batches("test", self.images)):
            noise = torch.randn(batch.image.shape, generator=subject.draw("denoising", i), device=subject.device)
            scores = []
            for level in self.levels:
                seen = corrupted(batch.image, noise, self.corruption, torch.tensor(float(level)))
                output = subject.reconstruct(seen, batch.label)
                scores += [psnr(image, batch.image) for image in (output, seen)]
            score.update(torch.stack(scores).cpu(), len(batch.image))
            if i == 0:
                shown = batch.image[:SHOWN], noise[:SHOWN], batch.label[:SHOWN]
        ours, untouched = score.compute().view(-1, 2).T.tolist()
        image, noise, label = shown
        noisy = [corrupted(image, noise, self.corruption, torch.tensor(float(level))) for level in self.levels]
        rows = [row for seen in noisy for row in (seen, subject.reconstruct(seen, label))]
        names = [word for level in self.levels for word in (f"{self.corruption} {level:g}", "reconstructed")]
        return Outcome(
            {f"psnr_at_{level:g}": Value(value, "dB") for level, value in zip(self.levels, ours, strict=True)},
            series={"level": [float(level) for level in self.levels], "psnr": ours},
            figures={
                "robustness": figures.lines(
                    f"Reconstruction under {self.corruption.replace('_', ' ')} noise",
                    ("noise level", list(self.levels)),
                    "PSNR against the clean image (dB)",
                    {"reconstructed": ours, "the noisy image itself": untouched},
                ),
                "denoised": figures.panel("From noisy images", torch.stack(rows), rows=names),
            },
        )


def psnr(output: torch.Tensor, image: torch.Tensor) -> torch.Tensor:
    """Mean over images of the peak signal-to-noise ratio, dB, for values in [0, 1]."""
    return peak_signal_noise_ratio(output, image, data_range=1.0, dim=(1, 2, 3))
