"""Anomaly detection by reconstruction error and nelbo."""

from dataclasses import dataclass, replace
from functools import partial

import torch
from torch import Tensor
from torch.nn.functional import interpolate
from torchmetrics.functional.classification import binary_auroc

from vaesweep import figures
from vaesweep.data import ImageDataModule
from vaesweep.errors import ConfigError
from vaesweep.evaluation.context import EvalContext
from vaesweep.evaluation.measure_interface import MeasureResult, NotApplicable, Value
from vaesweep.models.distributions import DiagonalGaussian
from vaesweep.models.types import Batch
from vaesweep.settings.check_arguments import check_int

SCORES = {"mse": "mse per pixel", "nelbo": "nelbo (nats per image)"}


@dataclass(frozen=True)
class Anomaly:
    """AUROC of separating test images from others by reconstruction error and by nelbo: 1 is perfect, 0.5 is chance.

    `excluded`: the class that training left out by data.exclude_label. `other`: the test split of the data `against`,
    resized, made grey or coloured and binarised like the model's own data. At most `images` of each.
    """

    against: ImageDataModule
    images: int

    def __post_init__(self) -> None:
        check_int("images", self.images)

    def __call__(self, context: EvalContext) -> MeasureResult:
        if context.declaration.conditional:
            raise NotApplicable("the model is given the class, which strange images do not have")
        normal_scores = scores(context, list(context.batches("test", self.images)))
        anomaly_scores, result = {}, MeasureResult()
        units = {
            "excluded_class": "AUROC of the excluded class against test images",
            "other_data": f"AUROC of {self.against.title} against test images",
        }
        if "excluded" in context.data.splits and not len(context.data.splits["excluded"].indices):
            result.absent["excluded_class"] = "the test split has no image of the class that was left out"
        elif "excluded" in context.data.splits:
            anomaly_scores["excluded_class"] = scores(context, list(context.batches("excluded", self.images)))
        else:
            result.absent["excluded_class"] = "training left no class out (data.exclude_label)"
        if self.against.title == context.data.title:
            result.absent["other_data"] = "the same data as in training; data@anomaly.against=NAME takes others"
        else:
            anomaly_scores["other_data"] = scores(context, self.other_batches(context))
        if not anomaly_scores:
            raise NotApplicable("; ".join(result.absent.values()))
        for name, group in anomaly_scores.items():
            for score, normal in normal_scores.items():
                anomalous = group[score]
                target = torch.cat([torch.zeros(len(normal)), torch.ones(len(anomalous))]).long()
                auroc = binary_auroc(to_unit_interval(torch.cat([normal, anomalous])), target)
                result.values[f"{name}_by_{score}"] = Value(auroc.item(), units[name])
        if not context.declaration.rate:
            result.absent["by_nelbo"] = "a point code has no nelbo"
        groups = {"test": normal_scores} | anomaly_scores
        panels = {SCORES[score]: {name: group[score] for name, group in groups.items()} for score in normal_scores}
        result.figures = {"anomaly": figures.histograms("Familiar and strange images", panels)}
        return result

    def other_batches(self, context: EvalContext) -> list[Batch]:
        """Images of `against` in the shape that the model takes."""
        try:
            self.against.prepare_data()
            self.against.setup()
        except ConfigError as error:
            key = error.key.replace("data.", "anomaly.against.", 1)
            raise ConfigError(key, error.given, error.allowed) from error
        channels, *sides = context.model.image_shape
        batches = []
        for i, (image, label) in enumerate(replace(context, data=self.against, cache={}).batches("test", self.images)):
            grey = image.mean(1, keepdim=True) if channels == 1 else image
            resized_image = interpolate(grey, size=sides, mode="bilinear", antialias=True)
            color_image = resized_image.expand(-1, channels, -1, -1).clamp(0, 1)
            # stored and read like the model's own data: with as many grey levels, and binary if they are
            stored_image = (color_image * context.data.peak).round().to(torch.uint8)
            draw = partial(context.draw, "other", i)
            batches.append(Batch(context.data.to_float(stored_image, len(stored_image), slice(None), draw), label))
        return batches


def scores(context: EvalContext, batches: list[Batch]) -> dict[str, Tensor]:
    """For each image [N] the mse of its reconstruction, and its nelbo (KL, and distortion of one draw) in nats."""
    parts_by_score: dict[str, list[Tensor]] = {}
    for i, batch in enumerate(context.track(batches, len(batches))):
        output = context.reconstruct(*batch)
        parts_by_score.setdefault("mse", []).append((output - batch.image).square().flatten(1).mean(1))
        if context.declaration.rate:
            posterior = context.model.posterior(*batch)
            assert isinstance(posterior, DiagonalGaussian)
            noise = torch.randn(posterior.mean.shape, generator=context.draw("anomaly", i), device=context.device)
            eta = context.model.decode(posterior.sample(noise), batch.label)
            nelbo = context.model.likelihood.nll(eta, batch.image) + posterior.kl().sum(1)
            parts_by_score.setdefault("nelbo", []).append(nelbo)
    return {name: torch.cat(parts).cpu() for name, parts in parts_by_score.items()}


def to_unit_interval(score: Tensor) -> Tensor:
    """Ranks in [0, 1]: torchmetrics takes numbers outside it for logits, whose sigmoid saturates."""
    return score.double().unique(return_inverse=True)[1] / max(1, len(score) - 1)
