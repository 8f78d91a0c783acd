"""Input of a measure: a trained model, its data, and a seed for every draw."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from vaesweep.data import ImageDataModule
from vaesweep.data.batch_loader import Split
from vaesweep.models import Autoencoder, Batch, Declaration
from vaesweep.models.distributions import DiagonalGaussian
from vaesweep.records.results import Results
from vaesweep.seeded_generator import generator

Track = Callable[[Iterable[Any], int], Iterable[Any]]
"""Yields the items of an iterable, given their number, and shows progress."""


@dataclass
class Codes:
    """Posterior means [N, d] of images, and their labels [N, F]."""

    mean: Tensor
    label: Tensor

    def numpy(self) -> tuple[np.ndarray, np.ndarray]:
        """The means and the classes [N], as scikit-learn takes them."""
        return self.mean.cpu().numpy(), self.label[:, 0].cpu().numpy()


@dataclass
class EvalContext:
    """The model of the run in `folder`, and the data that it was trained on. All random draws depend on `seed`."""

    folder: Path
    results: Results
    checkpoint: str
    model: Autoencoder
    data: ImageDataModule
    device: torch.device
    seed: int
    track: Track = lambda items, total: items
    cache: dict[tuple[str, int | None], Codes] = field(default_factory=dict)

    @property
    def pixels(self) -> int:
        """Number of values in an image."""
        channels, height, width = self.model.image_shape
        return channels * height * width

    @property
    def declaration(self) -> Declaration:
        """The model's declaration."""
        return self.model.declaration

    def draw(self, *name: int | str) -> torch.Generator:
        """The generator for the draws called `name`, on the device."""
        return generator(self.seed, "evaluation", *name, device=self.device)

    def part(self, split: str, max_images: int | None = None) -> Split:
        """`max_images` images of a split, drawn by the seed, or all; in their order. Smaller parts are in larger ones.

        Drawn at random, because many datasets are sorted by class or factor.
        """
        whole_split = self.data.splits[split]
        if max_images is None or max_images >= len(whole_split.indices):
            return whole_split
        positions = torch.randperm(len(whole_split.indices), generator=generator(self.seed, "part", split))[:max_images]
        return Split(whole_split.images, whole_split.labels, whole_split.indices[positions.sort().values])

    def batches(self, split: str, max_images: int | None = None) -> Iterator[Batch]:
        """`part` in batches, with a progress bar; a whole split in the batches of the run's own test."""
        batches = self.data.batches(split)
        batches.split = self.part(split, max_images)
        for batch in self.track(batches, len(batches)):
            yield Batch(*(values.to(self.device) for values in batch))

    def examples(self, count: int) -> Batch:
        """`count` test images in random order, so that the first few are of several classes."""
        batch = Batch(*(torch.cat(parts) for parts in zip(*self.batches("test", count), strict=True)))
        order = self.shuffled("examples", len(batch.image))
        return Batch(*(part[order] for part in batch))

    def shuffled(self, name: str, count: int) -> Tensor:
        """The positions up to `count` in the random order called `name`."""
        return torch.randperm(count, generator=generator(self.seed, "order", name)).to(self.device)

    def reconstruct(self, image: Tensor, label: Tensor) -> Tensor:
        """E[x|z] [B, C, H, W] at the posterior mean of images, which are not corrupted."""
        return self.model.generate(self.model.posterior(image, label).mean, label)

    def pictures(self, split: str, max_images: int | None, index: Tensor) -> Tensor:
        """The stored images at positions `index` [...] of `part`, in [0, 1], [..., C, H, W]; never binarised."""
        part = self.part(split, max_images)
        indices = part.indices[index.cpu()].to(part.images.device)
        return part.images[indices].float() / self.data.peak

    def codes(self, split: str, max_images: int | None = None) -> Codes:
        """Posterior means of a split's clean images; computed once."""
        if (split, max_images) not in self.cache:
            means, labels = [], []
            for batch in self.batches(split, max_images):
                means.append(self.model.posterior(batch.image, batch.label).mean)
                labels.append(batch.label)
            self.cache[split, max_images] = Codes(torch.cat(means), torch.cat(labels))
        return self.cache[split, max_images]

    def posterior(self, split: str) -> DiagonalGaussian:
        """q(z|x) of all images of a split."""
        parts = [self.model.posterior(batch.image, batch.label) for batch in self.batches(split)]
        return DiagonalGaussian(*(torch.cat(part) for part in zip(*parts, strict=True)))
