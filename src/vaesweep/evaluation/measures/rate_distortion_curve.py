"""The rate-distortion curve of a model that answers for a range of weights of its rate."""

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from vaesweep.evaluation.context import EvalContext
from vaesweep.evaluation.measure_interface import MeasureResult, NotApplicable, Value
from vaesweep.settings.check_arguments import check_int

NATS = "nats per image"


@dataclass(frozen=True)
class RateDistortionCurve:
    """Distortion and rate of the test images at `weights` weights of the rate, equally spaced by their logarithms.

    Means over the images and over `samples` draws of their codes. `error` is the standard error of distortion + beta *
    rate over the images: that of the distortion at a given rate, where the curve has the slope -beta.
    """

    weights: int
    samples: int

    def __post_init__(self) -> None:
        check_int("weights", self.weights, 2)
        check_int("samples", self.samples)

    def __call__(self, context: EvalContext) -> MeasureResult:
        declared, model = context.declaration, context.model
        if declared.rate_weight is None or declared.rate_weight_range is None:
            raise NotApplicable("the model was trained for one weight of its rate")
        low, high = map(math.log, declared.rate_weight_range)
        betas = torch.linspace(low, high, self.weights, dtype=torch.float64).exp().tolist()
        configured = getattr(model, declared.rate_weight).item()
        curve: dict[str, list[float]] = {"beta": betas, "rate": [], "distortion": [], "error": []}
        try:
            for beta in context.track(betas, len(betas)):
                model.set_rate_weight(beta)
                distortion, rate = self.scores(context)
                curve["rate"].append(rate.mean().item())
                curve["distortion"].append(distortion.mean().item())
                curve["error"].append((distortion + beta * rate).std().item() / math.sqrt(len(rate)))
        finally:
            model.set_rate_weight(configured)
        nelbo = [distortion + rate for distortion, rate in zip(curve["distortion"], curve["rate"], strict=True)]
        lowest = min(range(len(betas)), key=nelbo.__getitem__)
        values = {
            "lowest_nelbo": Value(nelbo[lowest], NATS),
            "beta_of_the_lowest_nelbo": Value(
                betas[lowest], f"one of {self.weights} from {betas[0]:g} to {betas[-1]:g}"
            ),
        }
        return MeasureResult(values, series=curve)

    def scores(self, context: EvalContext) -> tuple[Tensor, Tensor]:
        """Distortion and rate of every test image [N], at the weight that the model is set to."""
        model, means = context.model, []
        for i, batch in enumerate(context.batches("test")):
            # the same noise at every weight
            source = context.draw("rate_distortion_curve", i)
            draws = [
                torch.randn(model.noise_shape(batch), generator=source, device=context.device)
                for _ in range(self.samples)
            ]
            means.append(model.score(batch, *draws).images.double().cpu())
        distortion, _, rate = torch.cat(means).unbind(1)
        return distortion, rate
