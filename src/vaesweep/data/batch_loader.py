"""Batches of one split, in an order that is a function of the seed."""

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial

import torch
from torch import Tensor

from vaesweep.models import Batch
from vaesweep.seeded_generator import generator

Draw = Callable[[], torch.Generator]
"""Makes the generator of a batch's binary draws, where there are any."""


@dataclass(frozen=True)
class Split:
    """The `indices` of a split in the images [N, C, H, W] uint8 and labels [N, F] int64 (the class first)."""

    images: Tensor
    labels: Tensor
    indices: Tensor


class BatchLoader:
    """One pass over a split, as `Batch`es of floats in [0, 1].

    `batch_size` counts the images of one optimizer step over all processes. In training each process takes every
    `world`-th image of a batch; order and binary draws depend on (seed, epoch); the last, smaller batch is left out.
    In evaluation each process takes every `world`-th batch, whole, so that results on a batch do not depend on
    `world`; order and draws are fixed and every image is used. Processes that run out of batches get empty ones.
    Lightning restores `state_dict` in mid-epoch.
    """

    def __init__(
        self,
        split: Split,
        batch_size: int,
        to_float: Callable[[Tensor, int, slice, Draw], Tensor],
        seed: int,
        epoch: Callable[[], int] | None = None,
        rank: int = 0,
        world: int = 1,
    ) -> None:
        self.split, self.batch_size, self.to_float = split, batch_size, to_float
        self.seed, self.epoch, self.rank, self.world = seed, epoch, rank, world
        self.start = self.position = 0

    def __len__(self) -> int:
        images = len(self.split.indices)
        return images // self.batch_size if self.epoch else math.ceil(images / self.batch_size / self.world)

    def __iter__(self) -> Iterator[Batch]:
        indices, start, self.start = self.split.indices, self.start, 0
        epoch = self.epoch() if self.epoch else -1
        if self.epoch:
            indices = indices[torch.randperm(len(indices), generator=generator(self.seed, "order", epoch))]
        indices = indices.to(self.split.images.device)  # at once: a copy at every step would wait for the GPU
        for b in range(start, len(self)):
            number = b if self.epoch else b * self.world + self.rank
            batch_indices = indices[number * self.batch_size : (number + 1) * self.batch_size]
            self.position = b + 1
            draw = partial(generator, self.seed, "binary", epoch, number, device=self.split.images.device)
            yield self.take(batch_indices, draw)

    def take(self, indices: Tensor, draw: Draw) -> Batch:
        """This process's share of the images at `indices`, and their labels."""
        share = slice(self.rank, None, self.world) if self.epoch else slice(None)
        rank_indices = indices[share].to(self.split.images.device)
        # `index_select` copies rows, where brackets copy numbers one by one
        stored_images = self.split.images.index_select(0, rank_indices)
        image = self.to_float(stored_images, len(indices), share, draw)
        return Batch(image, self.split.labels.index_select(0, rank_indices))

    def state_dict(self) -> dict[str, int]:
        return {"position": self.position}

    def load_state_dict(self, state: dict[str, int]) -> None:
        self.start = state["position"]
