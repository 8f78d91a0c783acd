"""The field along which reconstruction moves images."""

from dataclasses import dataclass

import torch

from vaesweep import figures
from vaesweep.evaluation.context import EvalContext
from vaesweep.evaluation.measure_interface import MeasureResult, NotApplicable, Value
from vaesweep.settings.check_arguments import check_int


@dataclass(frozen=True)
class ReconstructionField:
    """The field r(x) - x over a two-dimensional code: the score of the data, for little noise (Alain & Bengio 2014).

    At each point of a grid of `size` x `size` codes z, x = E[x|z] is reconstructed: the arrow goes from z to the code
    of x, the shade is the root of the mean square of r(x) - x over pixels.
    """

    size: int

    def __post_init__(self) -> None:
        check_int("size", self.size, 2)

    def __call__(self, context: EvalContext) -> MeasureResult:
        if context.model.latent_dim != 2:
            raise NotApplicable("it is drawn for codes of 2 dimensions, such as experiment=latent_plane has")
        codes = context.codes("test").mean
        low, high = codes.quantile(0.005, dim=0), codes.quantile(0.995, dim=0)
        unit = torch.linspace(0, 1, self.size, device=context.device)
        z1, z0 = torch.meshgrid(*(low[i] + (high - low)[i] * unit for i in (1, 0)), indexing="ij")
        z = torch.stack([z0, z1], dim=-1).flatten(0, 1)
        label = context.examples(1).label.expand(len(z), -1)
        image = context.model.generate(z, label)
        image_codes = context.model.posterior(image, label).mean
        change = (context.model.generate(image_codes, label) - image).square().flatten(1).mean(1).sqrt()
        grid = (self.size, self.size)
        return MeasureResult(
            {"change": Value(change.mean().item(), "rms of a pixel")},
            figures={
                "reconstruction_field": figures.reconstruction_field(
                    z.unflatten(0, grid), (image_codes - z).unflatten(0, grid), change.unflatten(0, grid), codes
                )
            },
        )
