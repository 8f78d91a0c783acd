"""Decoded images of a plane of latent space."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch.special import ndtri

from vaesweep import figures
from vaesweep.errors import ConfigError
from vaesweep.evaluation.context import EvalContext
from vaesweep.evaluation.measure_interface import MeasureResult, NotApplicable
from vaesweep.figures.figure_text import expectation, label_text
from vaesweep.settings.check_arguments import check_int


@dataclass(frozen=True)
class LatentManifold:
    """E[x|z] at `size` x `size` quantiles of the prior, Phi^-1(p) for p in equal steps over `range`.

    As in Kingma & Welling 2014, fig. 4. With more than two latent dimensions the plane is that of the two most
    informative ones, all others at the prior's mean.
    """

    size: int
    range: Sequence[float]

    def __post_init__(self) -> None:
        check_int("size", self.size, 2)
        ends = self.range
        if not isinstance(ends, list | tuple) or len(ends) != 2 or not 0 < ends[0] < ends[1] < 1:
            raise ConfigError(
                "range", ends, "two probabilities between 0 and 1, the lower one first, such as [0.03, 0.97]"
            )

    def __call__(self, context: EvalContext) -> MeasureResult:
        if not context.declaration.rate:
            raise NotApplicable("a point code has no prior, whose quantiles are the grid")
        model = context.model
        if model.latent_dim < 2:
            raise NotApplicable("one latent dimension makes no plane")
        order = context.posterior("test").kl().mean(0).argsort(descending=True).tolist()
        dims = (0, 1) if model.latent_dim == 2 else (order[0], order[1])
        quantiles = ndtri(torch.linspace(self.range[0], self.range[1], self.size, device=context.device))
        z1, z0 = torch.meshgrid(quantiles, quantiles, indexing="ij")
        z = torch.zeros(self.size**2, model.latent_dim, device=context.device)
        z[:, dims[0]], z[:, dims[1]] = z0.flatten(), z1.flatten()
        label = context.examples(1).label
        images = model.generate(z, label.expand(len(z), -1)).unflatten(0, (self.size, self.size))
        count = model.latent_dim - 2
        others = f"the other {count} dimension{'s' * (count > 1)} at 0, the prior's mean" if count else ""
        fixed = "; ".join(filter(None, (others, label_text(model, label[0]))))
        return MeasureResult(
            figures={"latent_manifold": figures.latent_manifold(images, quantiles, dims, expectation(model), fixed)}
        )
