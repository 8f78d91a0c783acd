"""Latent traversals as a film."""

from dataclasses import dataclass

import torch

from vaesweep import figures
from vaesweep.checks import check_int
from vaesweep.evaluation.context import EvalContext
from vaesweep.evaluation.measure import MeasureResult
from vaesweep.figures.model_figures import expectation, walks
from vaesweep.metrics import activity


@dataclass(frozen=True)
class Traversal:
    """A film of the `dims` most active latent dimensions, each moving through its range and back in `frames`.

    Each row starts from the code of one image; each column moves one dimension of it.
    """

    dims: int
    rows: int
    frames: int

    def __post_init__(self) -> None:
        for key in ("dims", "rows", "frames"):
            check_int(key, getattr(self, key))

    def __call__(self, context: EvalContext) -> MeasureResult:
        batch = context.examples(1000)
        posterior = context.model.posterior(*batch)
        order = activity(posterior).argsort(descending=True)[: self.dims]
        film = []
        paths = [walks(posterior, order, self.frames, row) for row in range(min(self.rows, len(batch.image)))]
        names = [f"z{i + 1}" for i in order.tolist()]
        title = f"{expectation(context.model)}: each column moves one latent dimension"
        for frame in context.track(range(self.frames), self.frames):
            images = [
                context.model.generate(z[:, frame], batch.label[row].expand(len(z), -1))
                for row, (_, z) in enumerate(paths)
            ]
            film.append(figures.panel(title, torch.stack(images), columns=names))
        return MeasureResult(figures={"traversal": film + film[-2:0:-1]})
