"""The dSprites dataset, as published."""

import zipfile
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import torch
from filelock import FileLock
from torch import Tensor

from vaesweep.data.image_data_module import ImageDataModule
from vaesweep.errors import ConfigError

FILE = "dsprites_ndarray_co1sh3sc6or40x32y32_64x64.npz"
URL = f"https://github.com/google-deepmind/dsprites-dataset/raw/master/{FILE}"
MD5 = "7da33b31b13a06f4b04a70402ce90c2e"


class DSprites(ImageDataModule):
    """The 737,280 binary images, 1 x 64 x 64, of Matthey et al. 2017, from `FILE` in `root` (downloaded when absent).

    Labels are the factor indices shape, scale, orientation, x, y; the colour, which never varies, is left out.
    """

    peak = 1

    def __init__(self, root: str, **options: Any) -> None:
        super().__init__(**options)
        self.file = Path(root).expanduser() / FILE

    def prepare(self) -> None:
        if self.file.exists():
            return
        from torchvision.datasets.utils import download_url  # here, because the import is slow and needed once

        part = self.file.with_name(f"{FILE}.part")
        try:
            self.file.parent.mkdir(parents=True, exist_ok=True)
            # jobs that start together download once
            with FileLock(self.file.with_name(".dsprites.lock")):
                if not self.file.exists():
                    download_url(URL, str(part.parent), part.name, MD5)
                    part.rename(self.file)
        except (OSError, RuntimeError) as error:
            raise self.missing_error(error) from error

    def load(self) -> tuple[tuple[Tensor, Tensor], None]:
        try:
            # the archive's pickled metadata are not read
            with self.file.open("rb") as file, np.load(file, allow_pickle=False) as archive:
                images, labels = archive["imgs"], archive["latents_classes"]
        except (OSError, EOFError, KeyError, ValueError, zipfile.BadZipFile, zlib.error) as error:
            raise self.missing_error(error) from error
        if images.dtype != np.uint8 or labels.dtype.kind not in "iu" or images.max() > self.peak:
            raise self.missing_error(ValueError("images of 0 and 1 and whole numbers of factors are expected"))
        if images.ndim != 3 or labels.shape != (len(images), 6):
            raise self.missing_error(ValueError(f"images {list(images.shape)} with factors {list(labels.shape)}"))
        return (torch.from_numpy(images)[:, None], torch.from_numpy(labels[:, 1:]).long()), None

    def missing_error(self, error: Exception) -> ConfigError:
        problem = f"{self.file.parent}, where {FILE} is missing or damaged ({' '.join(str(error).split())})"
        return ConfigError("data.root", problem, "a folder that holds that file whole, or data=shapes")
