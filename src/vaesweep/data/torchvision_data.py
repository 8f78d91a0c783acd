"""MNIST, Fashion-MNIST and CIFAR-10, as torchvision downloads and reads them."""

from pathlib import Path
from textwrap import shorten
from typing import Any

import torch
from filelock import FileLock
from torch import Tensor

from vaesweep.data.image_data_module import ImageDataModule
from vaesweep.errors import ConfigError
from vaesweep.settings.check_arguments import check_choice

DATASETS = {"mnist": "MNIST", "fashion_mnist": "FashionMNIST", "cifar10": "CIFAR10"}
"""The torchvision class of each dataset."""


class TorchvisionData(ImageDataModule):
    """A torchvision dataset by `name` in the folder `root`, downloaded when it is not there; 10 classes.

    `mnist` (LeCun et al. 1998) and `fashion_mnist` (Xiao et al. 2017): 60,000 + 10,000 images, 1 x 28 x 28;
    `cifar10` (Krizhevsky 2009): 50,000 + 10,000, 3 x 32 x 32.
    """

    def __init__(self, name: str, root: str, **options: Any) -> None:
        super().__init__(**options)
        self.dataset = check_choice("name", name, DATASETS)
        self.root = Path(root).expanduser()

    @property
    def title(self) -> str:
        return self.dataset

    def prepare(self) -> None:
        try:
            self.read(train=False)
        except ConfigError as error:
            try:
                self.root.mkdir(parents=True, exist_ok=True)
                # jobs that start together download once
                with FileLock(self.root / f".{self.dataset}.lock"):
                    self.read(train=False, download=True)
            except OSError:
                raise error from None

    def load(self) -> tuple[tuple[Tensor, Tensor], tuple[Tensor, Tensor]]:
        train, test = self.read(train=True), self.read(train=False)
        if train[0].shape[1:] != test[0].shape[1:]:
            sizes = " and ".join(str(list(images.shape[1:])) for images, _ in (train, test))
            raise ConfigError("data.root", f"images to train and test on of {sizes}", "files that belong together")
        return train, test

    def read(self, train: bool, download: bool = False) -> tuple[Tensor, Tensor]:
        """Images uint8 [N, C, H, W] and labels [N, 1]. Raises `ConfigError` for what is missing or does not read."""
        from torchvision import datasets  # here, because the import is slow and other datasets do without

        try:
            dataset = getattr(datasets, DATASETS[self.dataset])(str(self.root), train=train, download=download)
        except (OSError, RuntimeError, ValueError, EOFError, AssertionError, TypeError, IndexError) as error:
            why = shorten(str(error), 100) or "another format"
            problem = f"{self.root}, where {self.dataset} is missing or damaged ({why})"
            raise ConfigError(
                "data.root",
                problem,
                f"a folder with {self.dataset} in it (or VAESWEEP_DATA), a network to download it, or data=mnist5k",
            ) from error
        if self.dataset != "mnist":  # whose classes are numbers
            self.class_names = tuple(getattr(dataset, "classes", ()))
        images = torch.as_tensor(dataset.data)
        # MNIST comes as [N, H, W], CIFAR-10 as [N, H, W, C]
        images = images[:, None] if images.ndim == 3 else images.permute(0, 3, 1, 2).contiguous()
        labels = torch.as_tensor(dataset.targets).long()[:, None]
        if len(images) != len(labels):
            raise ConfigError(
                "data.root", f"{len(images)} images with {len(labels)} labels", "files that belong together"
            )
        return images, labels
