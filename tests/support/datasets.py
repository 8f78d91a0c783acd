"""Small data sets in the formats of the real ones."""

import pickle
import struct

import numpy as np
from PIL import Image
from torchvision import datasets

from vaesweep.data import dsprites


def write_mnist(folder, name="MNIST", n=20):
    raw = folder / name / "raw"
    raw.mkdir(parents=True)
    pixels = np.random.default_rng(0).integers(0, 256, (n, 28, 28), dtype=np.uint8)
    for part in ("train", "t10k"):
        (raw / f"{part}-images-idx3-ubyte").write_bytes(struct.pack(">IIII", 2051, n, 28, 28) + pixels.tobytes())
        (raw / f"{part}-labels-idx1-ubyte").write_bytes(struct.pack(">II", 2049, n) + bytes(range(10)) * (n // 10))
    return raw, pixels


def write_cifar10(root, monkeypatch, n=8):
    monkeypatch.setattr(datasets.CIFAR10, "_check_integrity", lambda self: True)
    monkeypatch.setattr(datasets.CIFAR10, "_load_meta", lambda self: None)
    folder = root / datasets.CIFAR10.base_folder
    folder.mkdir(parents=True)
    rows = np.random.default_rng(0).integers(0, 256, (n, 3072), dtype=np.uint8)
    for file, _ in datasets.CIFAR10.train_list + datasets.CIFAR10.test_list:
        (folder / file).write_bytes(pickle.dumps({"data": rows, "labels": [i % 10 for i in range(n - 1)] + [9]}))
    return rows


def write_dsprites(root, n=40):
    images = np.random.default_rng(0).integers(0, 2, (n, 64, 64), dtype=np.uint8)
    classes = np.stack([np.zeros(n, int), *[np.arange(n) % k for k in (3, 6, 40, 32, 32)]], axis=1)
    np.savez(root / dsprites.FILE, imgs=images, latents_classes=classes, metadata=np.array({"a": 1}, dtype=object))
    return images


def write_photos(folder, n=12):
    rng = np.random.default_rng(0)
    for i in range(n):
        below = folder / ("cats" if i % 2 else "birds")
        below.mkdir(parents=True, exist_ok=True)
        Image.fromarray(rng.integers(0, 256, (20 + i, 30, 3), dtype=np.uint8)).save(below / f"{i:02}.png")
