"""A data set: the arrays of an .npz file."""

import numpy as np
import torch

from vaesweep.data import ImageDataModule


class Npz(ImageDataModule):
    """`images` uint8 [N, H, W] and `labels` [N] of the file `path`."""

    def __init__(self, path, **options):
        super().__init__(**options)
        self.path = path

    def load(self):
        with np.load(self.path) as arrays:
            images, labels = torch.from_numpy(arrays["images"]), torch.from_numpy(arrays["labels"])
        return (images[:, None], labels.long()[:, None]), None
