"""A trained member and its data, ready to be measured."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from vaesweep.data import ImageData
from vaesweep.data.images import Split
from vaesweep.distributions import DiagonalGaussian
from vaesweep.family import Autoencoder, Conditional
from vaesweep.results import Results
from vaesweep.seeds import generator
from vaesweep.terms import Batch

Track = Callable[[Iterable[Any], int], Iterable[Any]]
"""Passes the items of an iterable on, so many of them, and shows how far it got."""


@dataclass
class Codes:
    """Posterior means [N, d] of images, and their labels [N, F]."""

    mean: Tensor
    label: Tensor

    def numpy(self) -> tuple[np.ndarray, np.ndarray]:
        """The means and the classes [N], as scikit-learn wants them."""
        return self.mean.cpu().numpy(), self.label[:, 0].cpu().numpy()


@dataclass
class Subject:
    """The member of the run in `folder`, and the data that it was trained on; all random draws depend on `seed`."""

    folder: Path
    results: Results
    checkpoint: str
    project: str
    member: Autoencoder
    data: ImageData
    device: torch.device
    seed: int
    track: Track = lambda items, total: items
    cache: dict[tuple[str, int | None], Codes] = field(default_factory=dict)

    @property
    def pixels(self) -> int:
        """Dimensions of an image."""
        channels, height, width = self.member.image_shape
        return channels * height * width

    @property
    def has_posterior(self) -> bool:
        """Whether q(z|x) is a density, not a point."""
        return self.member.penalty_name == "kl"

    @property
    def told_class(self) -> bool:
        """Whether encoder and decoder are told the class, so that codes need not know of it."""
        return isinstance(self.member, Conditional)

    def draw(self, *name: int | str) -> torch.Generator:
        """The generator of the draws that are named so, on the device."""
        return generator(self.seed, "evaluation", *name, device=self.device)

    def part(self, split: str, most: int | None = None) -> Split:
        """`most` images of a split, drawn by the seed, or all; in their order. Smaller parts are in larger ones.

        Drawn, because many data sets are sorted by class or factor.
        """
        there = self.data.splits[split]
        if most is None or most >= len(there.rows):
            return there
        chosen = torch.randperm(len(there.rows), generator=generator(self.seed, "part", split))[:most]
        return Split(there.images, there.labels, there.rows[chosen.sort().values])

    def batches(self, split: str, most: int | None = None) -> Iterator[Batch]:
        """`part` in batches, under the progress bar; a whole split as the run's own test saw it."""
        batches = self.data.batches(split)
        batches.split = self.part(split, most)
        for batch in self.track(batches, len(batches)):
            yield Batch(*(values.to(self.device) for values in batch))

    def examples(self, count: int) -> Batch:
        """`count` test images."""
        return Batch(*(torch.cat(parts) for parts in zip(*self.batches("test", count), strict=True)))

    def reconstruct(self, image: Tensor, label: Tensor) -> Tensor:
        """E[x|z] [B, C, H, W] at the posterior mean of images that are shown as they are."""
        return self.member.generate(self.member.posterior(image, label).mean, label)

    def pictures(self, split: str, most: int | None, index: Tensor) -> Tensor:
        """The stored images at places `index` [...] of `part`, in [0, 1], [..., C, H, W]; never binarised."""
        there = self.part(split, most)
        rows = there.rows[index.cpu()].to(there.images.device)
        return there.images[rows].float() / self.data.peak

    def codes(self, split: str, most: int | None = None) -> Codes:
        """Posterior means of a split's clean images; computed once."""
        if (split, most) not in self.cache:
            means, labels = [], []
            for batch in self.batches(split, most):
                means.append(self.member.posterior(batch.image, batch.label).mean)
                labels.append(batch.label)
            self.cache[split, most] = Codes(torch.cat(means), torch.cat(labels))
        return self.cache[split, most]

    def posterior(self, split: str) -> DiagonalGaussian:
        """q(z|x) of all images of a split."""
        parts = [self.member.posterior(batch.image, batch.label) for batch in self.batches(split)]
        return DiagonalGaussian(*(torch.cat(part) for part in zip(*parts, strict=True)))
