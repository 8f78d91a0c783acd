"""Datasets: one data module each over the same base."""

from vaesweep.data.digits import Digits
from vaesweep.data.dsprites import DSprites
from vaesweep.data.folder import Folder
from vaesweep.data.images import ImageData
from vaesweep.data.published import Published
from vaesweep.data.shapes import Shapes

__all__ = ["DSprites", "Digits", "Folder", "ImageData", "Published", "Shapes"]
