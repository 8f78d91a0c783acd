"""The user's own images."""

import hashlib
import os
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image, ImageOps, UnidentifiedImageError
from torch import Tensor
from tqdm import tqdm

from vaesweep.checks import ConfigError, check_choice, check_int
from vaesweep.data.image_data_module import ImageDataModule

SUFFIXES = (".png", ".jpg", ".jpeg", ".webp", ".bmp", ".gif", ".tif", ".tiff", ".ppm", ".pgm")
MODES = {"grey": "L", "rgb": "RGB"}


class Folder(ImageDataModule):
    """All images below `path`, cropped to a square about the centre and resized to `size`, `color` grey or rgb.

    If images lie in subfolders, the first level names the classes, in alphabetical order. The resized images are
    kept as one array in the folder `cache` and mapped into memory: a set larger than memory works, and the second
    run starts at once.
    """

    def __init__(self, path: str, cache: str, size: int, color: str, **options: Any) -> None:
        super().__init__(**options)
        self.path, self.cache = Path(path).expanduser(), Path(cache).expanduser()
        self.size, self.color = check_int("size", size), check_choice("color", color, MODES)

    @property
    def title(self) -> str:
        return str(self.path.absolute())

    def files(self) -> list[Path]:
        """Every image file, sorted. Raises `ConfigError` when there is none."""
        if not self.path.is_dir():
            raise ConfigError("data.path", f"{self.path}, which is no folder", "a folder of images")
        files = sorted(f for f in self.path.rglob("*") if f.is_file() and f.suffix.lower() in SUFFIXES)
        if not files:
            raise ConfigError(
                "data.path", f"{self.path}, with no image in it", "a folder of images, such as " + " ".join(SUFFIXES)
            )
        return files

    def cache_file(self, files: list[Path]) -> Path:
        """The cache file of the resized images; its name changes with the files, the size and the color."""
        stamps = [(str(f.relative_to(self.path)), f.stat().st_size, f.stat().st_mtime_ns) for f in files]
        digest = hashlib.sha256(repr((self.size, self.color, stamps)).encode()).hexdigest()
        return self.cache / f"{digest[:16]}.npy"

    def prepare(self) -> None:
        files = self.files()
        cache_file = self.cache_file(files)
        if cache_file.exists():
            return
        cache_file.parent.mkdir(parents=True, exist_ok=True)
        part_file = cache_file.with_suffix(f".{os.getpid()}.part")
        channels = len(MODES[self.color])
        shape = (len(files), channels, self.size, self.size)
        images = np.lib.format.open_memmap(part_file, "w+", np.uint8, shape)
        try:
            for row, file in zip(images, tqdm(files, "resizing images", unit="image"), strict=True):
                row[:] = self.read(file)
            images.flush()
            part_file.replace(cache_file)
        finally:
            part_file.unlink(missing_ok=True)

    def read(self, file: Path) -> np.ndarray:
        """One image, uint8 [C, size, size]. Raises `ConfigError` naming the file when it does not decode."""
        try:
            with Image.open(file) as image:
                upright_image = ImageOps.exif_transpose(image).convert(MODES[self.color])
                square_image = ImageOps.fit(upright_image, (self.size, self.size), Image.Resampling.BOX)
        except (OSError, UnidentifiedImageError, SyntaxError, Image.DecompressionBombError) as error:
            raise ConfigError("data.path", f"{file}, which does not decode ({error})", "whole image files") from error
        return np.asarray(square_image).reshape(self.size, self.size, -1).transpose(2, 0, 1)

    def load(self) -> tuple[tuple[Tensor, Tensor], None]:
        files = self.files()
        # copy-on-write: torch wants writable memory, and nothing writes to it
        images = torch.from_numpy(np.load(self.cache_file(files), mmap_mode="c"))
        parents = [f.relative_to(self.path).parts[0] if f.parent != self.path else "" for f in files]
        classes = {name: i for i, name in enumerate(sorted(set(parents)))}
        return (images, torch.tensor([[classes[p]] for p in parents])), None
