"""The base of all data modules: images in memory as uint8, in an order that is a function of the seed."""

import hashlib
from collections.abc import Callable
from functools import cached_property, partial
from typing import Any

import lightning as L
import torch
from torch import Tensor

from vaesweep.data.batch_loader import BatchLoader, Draw, Split
from vaesweep.errors import ConfigError
from vaesweep.models.types import Batch, Spec
from vaesweep.seeded_generator import generator
from vaesweep.settings.check_arguments import check_bool, check_choice, check_float, check_int

DIGESTED = 1000
"""About as many test images, or twice as many, tell whether a data set is the one that a model was trained on."""


class ImageDataModule(L.LightningDataModule):
    """Base class of every dataset: a subclass defines `prepare` for files and `load` for arrays.

    `val_fraction` of the training images are held out by a draw from `seed`, and `test_fraction` of all images
    where the dataset has no test split of its own. `binarize`: `threshold` at half the range, or `dynamic`, a fresh
    Bernoulli draw with the grey value as probability at every visit (Burda et al. 2016, sec. 5). `exclude_label` is
    a class to leave out: its test images are the split `excluded`, which is never trained on. `on_device` keeps the
    images on the training device. Raises `ConfigError`.
    """

    peak = 255
    """The stored value that means 1.0."""
    class_names: tuple[str, ...] = ()
    """The names of the classes, which `load` sets where there are any."""

    @property
    def title(self) -> str:
        """Name of the dataset."""
        return type(self).__name__

    def __init__(
        self,
        batch_size: int,
        val_fraction: float,
        binarize: str,
        on_device: bool,
        seed: int,
        test_fraction: float | None = None,
        exclude_label: int | None = None,
    ) -> None:
        super().__init__()
        self.batch_size = check_int("batch_size", batch_size)
        self.val_fraction = check_float("val_fraction", val_fraction, 0, 1, strict=True)
        if test_fraction is not None:
            check_float("test_fraction", test_fraction, 0, 1, strict=True)
        self.test_fraction = test_fraction
        self.exclude_label = None if exclude_label is None else check_int("exclude_label", exclude_label, 0)
        self.binarize = check_choice("binarize", binarize, ("none", "threshold", "dynamic"))
        self.on_device, self.seed = check_bool("on_device", on_device), check_int("seed", seed, 0)
        self.splits: dict[str, Split] = {}

    def prepare(self) -> None:
        """Download or decode what is missing on disk."""

    def load(self) -> tuple[tuple[Tensor, Tensor], tuple[Tensor, Tensor] | None]:
        """(images, labels) to train on, and those of the dataset's own test split or None."""
        raise TypeError(f"{type(self).__name__} does not say how to load its images")

    def prepare_data(self) -> None:
        if not self.splits:
            self.prepare()

    def setup(self, stage: str | None = None) -> None:
        if self.splits:
            return
        (images, labels), own_test = self.load()
        if own_test and self.test_fraction is not None:
            allowed = f"nothing for {self.title}, whose test images are given"
            raise ConfigError("data.test_fraction", self.test_fraction, allowed)
        order = torch.randperm(len(images), generator=generator(self.seed, "split"))
        test_size = 0 if own_test else self.split_size(len(images), self.test_fraction or 0, "test_fraction")
        val_size = self.split_size(len(images) - test_size, self.val_fraction, "val_fraction")
        # sorted indices are read in order; training shuffles them again at every epoch
        test_split = Split(*own_test, torch.arange(len(own_test[0]))) if own_test else None
        self.splits = {
            "test": test_split or Split(images, labels, order[:test_size].sort().values),
            "val": Split(images, labels, order[test_size : test_size + val_size].sort().values),
            "train": Split(images, labels, order[test_size + val_size :].sort().values),
        }
        if self.exclude_label is not None:
            self.exclude(self.exclude_label)
        if len(self.splits["train"].indices) < self.batch_size:
            problem = f"{self.batch_size} with {len(self.splits['train'].indices)} training images"
            raise ConfigError("data.batch_size", problem, "at most the number of training images")

    def exclude(self, label: int) -> None:
        """Remove a class from all splits; its test images become the split `excluded`. Raises `ConfigError`."""
        if label >= self.spec.classes or self.spec.classes < 2:
            allowed = f"null, or a class from 0 to {self.spec.classes - 1}" if self.spec.classes > 1 else "null"
            raise ConfigError("data.exclude_label", f"{label} with {self.spec.classes} classes", allowed)
        test = self.splits["test"]
        is_excluded = {name: split.labels[split.indices, 0] == label for name, split in self.splits.items()}
        for name, split in list(self.splits.items()):
            if is_excluded[name].all():
                given = f"{label}, the class of all images of the {name} split"
                raise ConfigError("data.exclude_label", given, "null, or a class that leaves images in every split")
            self.splits[name] = Split(split.images, split.labels, split.indices[~is_excluded[name]])
        self.splits["excluded"] = Split(test.images, test.labels, test.indices[is_excluded["test"]])

    def split_size(self, total: int, fraction: float, key: str) -> int:
        """Number of images in a fraction of `total`. Raises `ConfigError` when that is none, or all."""
        count = round(total * fraction)
        if not 0 < count < total:
            raise ConfigError(
                f"data.{key}", f"{fraction} of {total} images", "a share of at least one image, not of all"
            )
        return count

    @cached_property
    def digest(self) -> str:
        """A name for the images of the test split, after `setup`: of their number, and of up to about 2,000 of them."""
        split = self.splits["test"]
        count = len(split.indices)
        some = split.indices[:: max(1, count // DIGESTED)]
        content = hashlib.blake2b(str((count, split.images.shape[1:])).encode(), digest_size=8)
        for part in some.split(250):
            content.update(split.images[part].cpu().contiguous().numpy().tobytes())
        return content.hexdigest()

    @property
    def spec(self) -> Spec:
        """Shape, number of classes and number of training images, after `setup`."""
        images, labels = self.splits["train"].images, self.splits["train"].labels
        channels, height, width = images.shape[1:]
        classes, count = int(labels[:, 0].max()) + 1, len(self.splits["train"].indices)
        return Spec((channels, height, width), classes, count, self.class_names)

    def to_float(self, stored_images: Tensor, whole_batch: int, share: slice, draw: Draw) -> Tensor:
        """Stored values [B, C, H, W] as floats in [0, 1]: this process's `share` of a batch of `whole_batch`."""
        if self.binarize == "threshold":
            return (stored_images > self.peak / 2).float()
        grey = stored_images.float() / self.peak
        if self.binarize == "none":
            return grey
        # every process draws for the whole batch and keeps its part: the same images on any number of devices
        shape = (whole_batch, *stored_images.shape[1:])
        uniform = torch.rand(shape, generator=draw(), device=stored_images.device)[share]
        return (uniform < grey).float()

    def batches(self, name: str, epoch: Callable[[], int] | None = None) -> BatchLoader:
        """A pass over the split `name`; with `epoch`, reshuffled for each epoch."""
        world, rank = (self.trainer.world_size, self.trainer.global_rank) if self.trainer else (1, 0)
        if self.batch_size % world:
            raise ConfigError("data.batch_size", f"{self.batch_size} over {world} devices", f"a multiple of {world}")
        if self.on_device and self.trainer:
            self.move(self.trainer.strategy.root_device)
        return BatchLoader(self.splits[name], self.batch_size, self.to_float, self.seed, epoch, rank, world)

    def move(self, device: torch.device) -> None:
        """Move the images to `device`, once: splits that share images still share them."""
        device_tensors: dict[int, tuple[Tensor, Tensor]] = {}
        for name, split in self.splits.items():
            if id(split.images) not in device_tensors:
                device_tensors[id(split.images)] = split.images.to(device), split.labels.to(device)
            self.splits[name] = Split(*device_tensors[id(split.images)], split.indices)

    def transfer_batch_to_device(self, batch: Batch, device: torch.device, dataloader_idx: int) -> Batch:
        # Lightning looks through any batch for tensors, which takes longer than this one's transfer
        return Batch(batch.image.to(device), batch.label.to(device))

    def train_dataloader(self) -> BatchLoader:
        trainer: Any = self.trainer
        # to overfit a few batches they have to be the same ones in every epoch
        is_overfitting = trainer is None or getattr(trainer, "overfit_batches", 0) > 0
        return self.batches("train", epoch=lambda: 0 if is_overfitting else trainer.current_epoch)

    def val_dataloader(self) -> BatchLoader:
        return self.batches("val")

    def test_dataloader(self) -> BatchLoader:
        return self.batches("test")

    def examples(self, count: int) -> Batch:
        """`count` validation images (or all), drawn by the seed: the same ones every time, and the first of more.

        Drawn, because many data sets are sorted by class. Raises `ConfigError`.
        """
        count = check_int("count", count)
        split = self.splits["val"]
        order = torch.randperm(len(split.indices), generator=generator(self.seed, "examples"))
        indices = split.indices[order[:count]]
        batches = BatchLoader(split, len(indices), self.to_float, self.seed)
        return batches.take(indices, partial(generator, self.seed, "examples", device=split.images.device))
