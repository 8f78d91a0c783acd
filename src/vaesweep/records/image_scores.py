"""The scores of every test image, on disk: what two runs are compared by, image by image."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import numpy as np
from torch import Tensor

from vaesweep.files import atomically

FILE = "test_images.npz"


def write_image_scores(folder: Path, scores: Mapping[str, Tensor]) -> None:
    """Write `folder`/test_images.npz: an array [N], float32, for each score, in the order of the test split."""
    with atomically(folder / FILE) as path, path.open("wb") as file:
        arrays: dict[str, Any] = {name: values.float().cpu().numpy() for name, values in scores.items()}
        np.savez(file, **arrays)


def read_image_scores(folder: Path) -> dict[str, np.ndarray]:
    """The arrays of a run's file, {} where there is none. Raises ValueError in a line that names the file."""
    path = folder / FILE
    if not path.exists():
        return {}
    try:
        with np.load(path, allow_pickle=False) as file:
            scores = {name: np.asarray(file[name], float) for name in file.files}
    except (OSError, ValueError, EOFError, BadZipFile, KeyError) as error:
        raise ValueError(f"{FILE} cannot be read ({type(error).__name__})") from None
    lengths = {values.shape for values in scores.values()}
    if len(lengths) > 1 or any(len(shape) != 1 for shape in lengths):
        raise ValueError(f"{FILE}: not a value for every image")
    return scores
