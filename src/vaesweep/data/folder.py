"""The user's own images."""

import hashlib
import os
import time
from collections.abc import Iterator
from contextlib import suppress
from math import ceil, prod
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image, ImageOps
from torch import Tensor
from tqdm import tqdm

from vaesweep.data.image_data_module import ImageDataModule
from vaesweep.data.pillow_to_8bit import eight_bits, flatten, largest_value
from vaesweep.errors import ConfigError
from vaesweep.settings.check_arguments import check_choice, check_float, check_int

SUFFIXES = (".png", ".jpg", ".jpeg", ".webp", ".bmp", ".gif", ".tif", ".tiff", ".ppm", ".pgm")
MODES = {"grey": "L", "rgb": "RGB"}
ABANDONED = 86_400
"""Seconds after which nobody writes to an unfinished file any more."""
BACKGROUNDS = {"black": 0.0, "white": 1.0}


class Folder(ImageDataModule):
    """All images below `path`, cropped to a square about the centre and resized to `size`, `color` grey or rgb.

    If images lie in subfolders, the first level names the classes, in alphabetical order. Transparent images are laid
    over `background`: white, black or a grey in [0, 1]. Images of 16 and 32 bits are scaled by the range of their type;
    of an animation the first frame counts. The resized images are kept as one array in the folder `cache` and mapped
    into memory: a set larger than memory works, and the second run starts at once.
    """

    def __init__(
        self, path: str, cache: str, size: int, color: str, background: str | float = "white", **options: Any
    ) -> None:
        super().__init__(**options)
        self.path, self.cache = Path(path).expanduser(), Path(cache).expanduser()
        self.size, self.color = check_int("size", size), check_choice("color", color, MODES)
        self.background = check_background(background)

    @property
    def title(self) -> str:
        return str(self.path.absolute())

    def files(self) -> list[Path]:
        """Every image file, sorted. Raises `ConfigError` when there is none."""
        if not self.path.is_dir():
            raise ConfigError("data.path", f"{self.path}, which is no folder", "a folder of images")
        files = sorted(f for f in files_below(self.path) if f.is_file() and f.suffix.lower() in SUFFIXES)
        if not files:
            raise ConfigError(
                "data.path", f"{self.path}, with no image in it", "a folder of images, such as " + " ".join(SUFFIXES)
            )
        return files

    def cache_file(self, files: list[Path]) -> Path:
        """The cache file of the resized images; its name changes with the folder, the files, the size and the color."""
        stamps = [(str(f.relative_to(self.path)), f.stat().st_size, f.stat().st_mtime_ns) for f in files]
        digest = hashlib.sha256(
            repr((str(self.path.resolve()), self.size, self.color, self.background, stamps)).encode()
        ).hexdigest()
        return self.cache / f"{digest[:16]}.npy"

    def prepare(self) -> None:
        files = self.files()
        cache_file = self.cache_file(files)
        shape = (len(files), len(MODES[self.color]), self.size, self.size)
        if is_array(cache_file, shape):
            return
        try:
            cache_file.parent.mkdir(parents=True, exist_ok=True)
            remove_abandoned(self.cache)
            self.resize(files, shape, cache_file)
        except OSError as error:
            given = f"{self.cache}, which cannot be written ({error.strerror})"
            room = f"a folder with room for {ceil(prod(shape) / 1e6)} MB"
            raise ConfigError("data.cache", given, room) from error

    def resize(self, files: list[Path], shape: tuple[int, ...], cache_file: Path) -> None:
        """Write the resized images to their cache file, whole or not at all."""
        part_file = cache_file.with_suffix(f".{os.getpid()}.part")
        try:
            images = open_array(part_file, shape)
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
                flat_image = flatten(eight_bits(ImageOps.exif_transpose(image), largest_value(image)), self.background)
                square_image = ImageOps.fit(
                    flat_image.convert(MODES[self.color]), (self.size, self.size), Image.Resampling.BOX
                )
        except Exception as error:  # a decoder of a foreign file raises whatever it comes upon
            why = " ".join(str(error).split()) or type(error).__name__
            given = f"{file}, which does not decode ({why})"
            raise ConfigError(
                "data.path", given, "whole image files of 8, 16 or 32 bits, or of floats in [0, 1]"
            ) from error
        return np.asarray(square_image).reshape(self.size, self.size, -1).transpose(2, 0, 1)

    def load(self) -> tuple[tuple[Tensor, Tensor], None]:
        files = self.files()
        # copy-on-write: torch wants writable memory, and nothing writes to it
        images = torch.from_numpy(np.load(self.cache_file(files), mmap_mode="c"))
        parents = [f.relative_to(self.path).parts[0] if f.parent != self.path else "" for f in files]
        classes = {name: i for i, name in enumerate(sorted(set(parents)))}
        self.class_names = tuple(classes) if len(classes) > 1 else ()
        return (images, torch.tensor([[classes[p]] for p in parents])), None


def files_below(folder: Path) -> Iterator[Path]:
    """All files below a folder, also through links, each folder once."""
    known = set()
    for name, folders, files in os.walk(folder, followlinks=True):
        if (real := os.path.realpath(name)) in known:  # a link to a folder above
            folders.clear()
            continue
        known.add(real)
        yield from (Path(name, file) for file in files)


def is_array(file: Path, shape: tuple[int, ...]) -> bool:
    """Whether a file holds an array of bytes of this shape, whole."""
    try:
        found = np.load(file, mmap_mode="r")
    except (OSError, ValueError, EOFError):
        return False
    return bool(found.shape == shape and found.dtype == np.uint8)


def open_array(file: Path, shape: tuple[int, ...]) -> np.memmap:
    """A new array of bytes in a file. Raises OSError where the disk has no room for it."""
    images = np.lib.format.open_memmap(file, "w+", np.uint8, shape)
    if hasattr(os, "posix_fallocate"):  # a process that writes to a map for which there is no room is killed
        with file.open("r+b") as handle:
            os.posix_fallocate(handle.fileno(), 0, file.stat().st_size)
    return images


def remove_abandoned(cache: Path) -> None:
    """Remove what processes that were killed left in a cache: unfinished files without a change for `ABANDONED`."""
    for part in cache.glob("*.part"):
        with suppress(OSError):
            if time.time() - part.stat().st_mtime > ABANDONED:
                part.unlink()


def check_background(given: object) -> float:
    """A grey in [0, 1] from its name or number. Raises `ConfigError`."""
    if isinstance(given, str) and given in BACKGROUNDS:
        return BACKGROUNDS[given]
    if isinstance(given, str):
        raise ConfigError("background", given, "white | black | a number in [0, 1]")
    return check_float("background", given, 0, 1)
