"""The images of MNIST that come with a package."""

import pytest
import torch

from vaesweep.data import MNIST5k


def loaded(seed=0):
    data = MNIST5k(batch_size=64, val_fraction=0.1, binarize="none", on_device=False, seed=seed)
    data.prepare_data()
    data.setup()
    return data


def test_test_images_are_balanced_and_the_rest_is_learned_from():
    data = loaded()
    assert data.spec[:2] == ((1, 28, 28), 10)
    assert {name: len(split.indices) for name, split in data.splits.items()} == {
        "test": 1000,
        "val": 400,
        "train": 3600,
    }
    test = data.splits["test"]
    assert test.labels[:, 0].bincount().tolist() == [100] * 10
    assert (test.images.min(), test.images.max()) == (0, 255)


@pytest.mark.slow
def test_the_split_follows_the_seed_and_no_image_is_in_two():
    first, second = loaded(), loaded(seed=1)
    assert torch.equal(first.splits["test"].images, loaded().splits["test"].images)
    assert not torch.equal(first.splits["test"].images, second.splits["test"].images)
    rows = torch.cat([first.splits["test"].images, first.splits["train"].images]).flatten(1)
    assert len(rows) == 5000
    assert len(rows.unique(dim=0)) == pytest.approx(5000, abs=5)  # but for twins in MNIST itself


@pytest.mark.slow
def test_images_are_those_of_mnist(mnist_root):
    from torchvision.datasets import MNIST

    train = MNIST(mnist_root, train=True).data.flatten(1)
    known = {row.numpy().tobytes() for row in torch.cat([train, MNIST(mnist_root, train=False).data.flatten(1)])}
    images = loaded().splits["test"].images.flatten(1)
    assert sum(row.numpy().tobytes() in known for row in images) == 1000
