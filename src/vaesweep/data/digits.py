"""Digits: scikit-learn's handwritten digits, which need no download."""

from importlib.metadata import distribution

import numpy as np
import torch
from torch import Tensor

from vaesweep.data.image_data_module import ImageDataModule


class Digits(ImageDataModule):
    """1,797 real handwritten digits, 1 x 8 x 8 in 17 grey levels, 10 classes (Alpaydin & Kaynak 1998, UCI)."""

    peak = 16

    def load(self) -> tuple[tuple[Tensor, Tensor], None]:
        # scikit-learn's own reader takes a second to import: a row is 64 grey levels and the class
        path = distribution("scikit-learn").locate_file("sklearn/datasets/data/digits.csv.gz")
        rows = torch.from_numpy(np.loadtxt(str(path), delimiter=",", dtype=np.uint8))
        return (rows[:, :-1].reshape(-1, 1, 8, 8), rows[:, -1:].long()), None
