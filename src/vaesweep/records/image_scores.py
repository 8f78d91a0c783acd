"""The scores of every test image, on disk: what two runs are compared by, image by image."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from torch import Tensor

from vaesweep.files import atomically

FILE = "test_images.npz"


def write_image_scores(folder: Path, scores: Mapping[str, Tensor]) -> None:
    """Write `folder`/test_images.npz: an array [N], float32, for each score, in the order of the test split."""
    with atomically(folder / FILE) as path, path.open("wb") as file:
        arrays: dict[str, Any] = {name: values.float().cpu().numpy() for name, values in scores.items()}
        np.savez(file, **arrays)
