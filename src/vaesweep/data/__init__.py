"""Datasets: one data module each, with a common base class."""

from vaesweep.data.digits import Digits
from vaesweep.data.dsprites import DSprites
from vaesweep.data.folder import Folder
from vaesweep.data.image_data_module import ImageDataModule
from vaesweep.data.mnist5k import MNIST5k
from vaesweep.data.shapes import Shapes
from vaesweep.data.torchvision_data import TorchvisionData

__all__ = ["DSprites", "Digits", "Folder", "ImageDataModule", "MNIST5k", "Shapes", "TorchvisionData"]
