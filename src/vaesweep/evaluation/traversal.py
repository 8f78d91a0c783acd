"""Latent dimensions in motion."""

from dataclasses import dataclass

import torch

from vaesweep import figures
from vaesweep.checks import whole
from vaesweep.evaluation.outcome import Outcome
from vaesweep.evaluation.subject import Subject
from vaesweep.gallery import walks
from vaesweep.metrics import activity


@dataclass(frozen=True)
class Traversal:
    """A film of the `dims` most active latent dimensions, each moving through its range and back in `frames`.

    A row is an image: its code but for the moving dimension, which is that of the column.
    """

    dims: int
    rows: int
    frames: int

    def __post_init__(self) -> None:
        for key in ("dims", "rows", "frames"):
            whole(key, getattr(self, key))

    def __call__(self, subject: Subject) -> Outcome:
        batch = subject.examples(1000)
        posterior = subject.member.posterior(*batch)
        order = activity(posterior).argsort(descending=True)[: self.dims]
        film = []
        paths = [walks(posterior, order, self.frames, row) for row in range(min(self.rows, len(batch.image)))]
        names = [f"z{i + 1}" for i in order.tolist()]
        for frame in subject.track(range(self.frames), self.frames):
            images = [
                subject.member.generate(z[:, frame], batch.label[row].expand(len(z), -1))
                for row, (_, z) in enumerate(paths)
            ]
            film.append(figures.panel("Each column moves one latent dimension", torch.stack(images), columns=names))
        return Outcome(figures={"traversal": film + film[-2:0:-1]})
