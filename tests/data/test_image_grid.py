"""Images in rows and columns."""

import numpy as np
import torch

from vaesweep.data.image_grid import image_grid


def test_every_image_is_in_its_place():
    images = torch.arange(6.0).view(2, 3, 1, 1, 1).expand(2, 3, 1, 4, 5) / 6
    picture = image_grid(images, gap=1)
    assert picture.shape == (9, 17, 1)
    assert np.allclose(picture[5:9, 12:17], 5 / 6)
    assert np.allclose(picture[4], 1)
    assert np.allclose(picture[0:4, 6:11], 1 / 6)


def test_colours_are_kept():
    red = torch.tensor([1.0, 0.0, 0.0]).view(1, 1, 3, 1, 1).expand(1, 1, 3, 2, 2)
    assert np.allclose(image_grid(red), np.broadcast_to([1.0, 0.0, 0.0], (2, 2, 3)))
