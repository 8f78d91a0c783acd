"""Digits: scikit-learn's handwritten digits, which need no download."""

import torch
from torch import Tensor

from vaesweep.data.images import ImageData


class Digits(ImageData):
    """1,797 real handwritten digits, 1 x 8 x 8 in 17 grey levels, 10 classes (Alpaydin & Kaynak 1998, UCI)."""

    peak = 16

    def load(self) -> tuple[tuple[Tensor, Tensor], None]:
        from sklearn.datasets import load_digits  # here, because it takes a while and other data do without

        digits = load_digits()
        images = torch.from_numpy(digits.images).to(torch.uint8)[:, None]
        return (images, torch.from_numpy(digits.target).long()[:, None]), None
