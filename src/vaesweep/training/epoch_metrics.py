"""The metrics of one model: means of its training terms, and what a validation or a test says."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

from vaesweep.errors import DivergenceError
from vaesweep.metrics import active_units, standard_error
from vaesweep.models import Autoencoder, Terms
from vaesweep.training.check_resumption import check_settings


@dataclass(eq=False)
class EpochMetrics:
    """Turns terms into named metrics, checks that they are finite, and averages those of an epoch.

    `settings` go into every checkpoint; one with other settings is refused with `ConfigError`.
    """

    model: Autoencoder
    settings: Mapping[str, Any] = field(default_factory=dict)
    metrics: dict[str, Tensor] = field(default_factory=dict)
    """The latest validation and test metrics."""
    dimensions: list[float] = field(default_factory=list)
    """What each latent dimension carries, in the unit that the model declares."""
    images: dict[str, Tensor] = field(default_factory=dict)
    """The scores [N, 3] of every image at the latest validation and test; see `Autoencoder.score`."""
    epoch: dict[str, Any] = field(default_factory=lambda: {"number": -1})

    def add_training_terms(self, values: Tensor, steps: Sequence[int], epoch: int) -> dict[str, Tensor]:
        """Add the terms [n, 2 + t] of n `steps` to the epoch's; their means by name.

        Raises `DivergenceError` for the first that is not finite.
        """
        finite = values.isfinite()
        if not finite.all():
            row, column = (~finite).nonzero()[0].tolist()
            raise self.divergence_error(column, values[row, column].item(), f"training step {steps[row]}")
        if self.epoch["number"] != epoch:
            self.epoch = {"number": epoch, "steps": 0, "sum": 0.0}
        # in float64, so that they are the same however the steps of an epoch were divided
        self.epoch["sum"] += values.double().sum(0)
        self.epoch["steps"] += len(values)
        return self.metric_dict(values.mean(0), "train")

    def training_means(self) -> dict[str, float]:
        """The mean training terms of the latest epoch, by name; none before there was one."""
        if self.epoch["number"] < 0:
            return {}
        means = self.metric_dict(self.epoch["sum"] / self.epoch["steps"], "train")
        return {name: value.item() for name, value in means.items()}

    def finish_split(
        self, stage: str, values: Tensor, variance: Tensor, images: Tensor, step: int
    ) -> dict[str, Tensor]:
        """Metrics of a whole split, from the means `values` [2 + k] and the scores `images` [N, 3] of
        `Autoencoder.score`, and the `variance` [d] of the posterior means. Raises `DivergenceError` when not finite.
        """
        distortion, mse, means = values[0], values[1], values[2:]
        terms = flatten_terms(self.model.objective(distortion, means))
        for column, value in enumerate(terms):
            if not value.isfinite():
                raise self.divergence_error(column, value.item(), f"{stage} after step {step}")
        declared = self.model.declaration
        active = active_units(variance, 1.0 if declared.rate else variance.max())
        self.dimensions = self.model.dimensions(means, variance).tolist()
        named = self.metric_dict(terms, stage) | {f"{stage}/mse": mse, f"{stage}/active_units": active}
        split = {name: value.float() for name, value in named.items()}
        self.metrics |= split
        self.images[stage] = images
        return split

    def errors(self) -> dict[str, float]:
        """Standard errors over images of the latest metrics that are means over images; of one image none."""
        return {
            f"{stage}/{name}": standard_error(values)
            for stage, images in self.images.items()
            if len(images) > 1
            for name, values in self.image_metrics(stage).items()
        }

    def image_metrics(self, stage: str) -> dict[str, Tensor]:
        """The metrics that are means over images, of every image [N] at the latest validation or test.

        The loss is one where all that it adds to the distortion is a weight times the rate.
        """
        declared = self.model.declaration
        distortion, mse, rate = self.images[stage].unbind(1)
        named = {"distortion": distortion, "mse": mse}
        if declared.rate:
            named |= {declared.rate: rate, "nelbo": distortion + rate}
        if declared.rate_weight:
            named["loss"] = distortion + getattr(self.model, declared.rate_weight) * rate
        elif not declared.terms:
            named["loss"] = distortion
        return named

    def metric_dict(self, values: Tensor, stage: str) -> dict[str, Tensor]:
        """Flat terms [2 + t] by the names they are recorded by, and nelbo = distortion + rate where there is a rate."""
        declared = self.model.declaration
        distortion, *penalties, loss = values
        named = {"loss": loss, "distortion": distortion, **dict(zip(declared.terms, penalties, strict=True))}
        if declared.rate:
            named["nelbo"] = distortion + named[declared.rate]
        return {f"{stage}/{name}": value for name, value in named.items()}

    def divergence_error(self, column: int, value: float, when: str) -> DivergenceError:
        term = ["distortion", *self.model.declaration.terms, "loss"][column]
        return DivergenceError(
            f"{term} is {value} at {when}: a lower optimizer.lr or trainer.gradient_clip_val may help"
        )

    def state_dict(self) -> dict[str, Any]:
        """What a checkpoint keeps."""
        return {"epoch_terms": self.epoch, "settings": dict(self.settings)}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on from `state`. Raises `ConfigError` for that of other settings."""
        check_settings(state["settings"], self.settings)
        self.epoch = state["epoch_terms"]


def flatten_terms(terms: Terms) -> Tensor:
    """Distortion, the declared terms, then the loss, along the last axis [..., 2 + t]."""
    return torch.cat([terms.distortion[..., None], terms.penalties, terms.loss[..., None]], dim=-1)
