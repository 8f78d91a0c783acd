"""Whether a member can tell what it was not trained on."""

from dataclasses import dataclass, replace

import torch
from torch import Tensor
from torch.nn.functional import interpolate
from torchmetrics.functional.classification import binary_auroc

from vaesweep import figures
from vaesweep.checks import whole
from vaesweep.data import ImageData
from vaesweep.distributions import DiagonalGaussian
from vaesweep.evaluation.outcome import Inapplicable, Outcome, Value
from vaesweep.evaluation.subject import Subject
from vaesweep.terms import Batch

SCORES = {"mse": "mse per pixel", "nelbo": "nelbo (nats per image)"}


@dataclass(frozen=True)
class Anomaly:
    """AUROC of telling test images from others by reconstruction error and by nelbo: 1 is perfect, 0.5 is chance.

    `excluded`: the class that training left out by data.exclude_label. `other`: the test split of the data `against`,
    resized, made grey or coloured and binarised as the member's own data are. At most `images` of each.
    """

    against: ImageData
    images: int

    def __post_init__(self) -> None:
        whole("images", self.images)

    def __call__(self, subject: Subject) -> Outcome:
        if subject.told_class:
            raise Inapplicable("the member is told the class, which strange images do not have")
        familiar = scores(subject, list(subject.batches("test", self.images)))
        strange, made = {}, Outcome()
        if "excluded" in subject.data.splits and not len(subject.data.splits["excluded"].rows):
            made.absent["excluded"] = "the test split has no image of the class that was left out"
        elif "excluded" in subject.data.splits:
            strange["excluded"] = scores(subject, list(subject.batches("excluded", self.images)))
        else:
            made.absent["excluded"] = "training left no class out (data.exclude_label)"
        if self.against.title == subject.data.title:
            made.absent["other"] = "the same data as in training; data@anomaly.against=NAME takes others"
        else:
            strange["other"] = scores(subject, self.others(subject))
        if not strange:
            raise Inapplicable("; ".join(made.absent.values()))
        for name, theirs in strange.items():
            for score, ours in familiar.items():
                target = torch.cat([torch.zeros(len(ours)), torch.ones(len(theirs[score]))]).long()
                auroc = binary_auroc(squashed(torch.cat([ours, theirs[score]])), target)
                made.values[f"{name}_by_{score}"] = Value(auroc.item(), "AUROC")
        if not subject.has_posterior:
            made.absent["by_nelbo"] = "a point code has no nelbo"
        groups = {"test": familiar} | strange
        panels = {SCORES[score]: {name: group[score] for name, group in groups.items()} for score in familiar}
        made.figures = {"anomaly": figures.histograms("Familiar and strange images", panels)}
        return made

    def others(self, subject: Subject) -> list[Batch]:
        """Images of `against` in the shape that the member takes."""
        self.against.prepare_data()
        self.against.setup()
        channels, *sides = subject.member.image_shape
        kept = []
        for i, (image, label) in enumerate(replace(subject, data=self.against, cache={}).batches("test", self.images)):
            grey = image.mean(1, keepdim=True) if channels == 1 else image
            sized = interpolate(grey, size=sides, mode="bilinear", antialias=True)
            coloured = sized.expand(-1, channels, -1, -1).clamp(0, 1)
            # stored and read as the member's own data are: in as many grey levels, and binary where they are
            stored = (coloured * subject.data.peak).round().to(torch.uint8)
            draw = subject.draw("other", i)
            kept.append(Batch(subject.data.to_float(stored, len(stored), slice(None), draw), label))
        return kept


def scores(subject: Subject, batches: list[Batch]) -> dict[str, Tensor]:
    """For each image [N] the mse of its reconstruction, and its nelbo (KL, and distortion of one draw) in nats."""
    found: dict[str, list[Tensor]] = {}
    for i, batch in enumerate(subject.track(batches, len(batches))):
        output = subject.reconstruct(*batch)
        found.setdefault("mse", []).append((output - batch.image).square().flatten(1).mean(1))
        if subject.has_posterior:
            posterior = subject.member.posterior(*batch)
            assert isinstance(posterior, DiagonalGaussian)
            noise = torch.randn(posterior.mean.shape, generator=subject.draw("anomaly", i), device=subject.device)
            eta = subject.member.decode(posterior.sample(noise), batch.label)
            nelbo = subject.member.likelihood.nll(eta, batch.image) + posterior.kl().sum(1)
            found.setdefault("nelbo", []).append(nelbo)
    return {name: torch.cat(parts).cpu() for name, parts in found.items()}


def squashed(score: Tensor) -> Tensor:
    """Ranks in [0, 1]: torchmetrics takes numbers beyond that for logits, which large ones saturate."""
    return score.double().unique(return_inverse=True)[1] / max(1, len(score) - 1)
