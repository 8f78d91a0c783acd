"""The scores of every test image, on disk: what two runs are compared by, image by image."""

import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from vaesweep.atomic_files import atomically

if TYPE_CHECKING:
    from torch import Tensor  # for the type alone: the table of a study is printed without torch

FILE = "test_images.npz"


def write_image_scores(folder: Path, scores: "Mapping[str, Tensor]") -> None:
    """Write `folder`/test_images.npz: an array [N], float32, for each score, in the order of the test split."""
    with atomically(folder / FILE) as path, path.open("wb") as file:
        arrays: dict[str, Any] = {name: values.float().cpu().numpy() for name, values in scores.items()}
        np.savez(file, **arrays)


def read_image_scores(folder: Path) -> dict[str, np.ndarray]:
    """The arrays [N] in `folder`/test_images.npz. Raises FileNotFoundError, or ValueError in a line naming the file."""
    if (folder / FILE).exists() and not (folder / FILE).is_file():
        raise ValueError(f"{FILE} is no file")
    try:
        with (folder / FILE).open("rb") as file, np.load(file, allow_pickle=False) as arrays:
            scores = {name: arrays[name] for name in arrays.files}
    except FileNotFoundError:
        raise
    except (OSError, ValueError, EOFError, KeyError, AttributeError, MemoryError, zipfile.BadZipFile):
        raise ValueError(f"{FILE} is cut short or no archive of arrays") from None
    shapes = {values.shape for values in scores.values()}
    if len(shapes) != 1 or len(next(iter(shapes))) != 1:
        raise ValueError(f"{FILE}: not one number an image for each score")
    wrong = [name for name, values in scores.items() if values.dtype.kind != "f" or not np.isfinite(values).all()]
    if wrong:
        raise ValueError(f"{FILE}: {wrong[0]}: not finite numbers")
    return scores
