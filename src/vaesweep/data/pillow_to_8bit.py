"""Opaque images of 8 bits from images of any type that Pillow reads."""

from typing import Any

import numpy as np
from PIL import Image

BITS_PER_SAMPLE, SAMPLE_FORMAT = 258, 339
"""TIFF tags of the type of a pixel's value; a sample format of 2 is a signed integer."""


def largest_value(image: Image.Image) -> float:
    """The largest value that the type of the file's pixels holds, where Pillow does not scale them itself."""
    if image.mode == "F":
        return 1.0
    if image.format != "TIFF":  # what Pillow keeps as 32 bits has 16 in any other file
        return 65535.0
    tags: Any = image.tag_v2  # type: ignore[attr-defined]
    is_signed = tags.get(SAMPLE_FORMAT, (1,))[0] == 2
    return 2.0 ** (tags.get(BITS_PER_SAMPLE, (1,))[0] - is_signed) - 1


def eight_bits(image: Image.Image, largest: float) -> Image.Image:
    """The image with values of 8 bits: what Pillow cuts off at 255 is scaled, 16 and 32 bits and floats.

    `largest` becomes 255. Raises ValueError for values outside [0, largest], and where none but black would be left.
    """
    if image.mode != "F" and not image.mode.startswith("I"):
        return image
    values = np.asarray(image)
    if image.mode == "I" and largest == 2.0**32 - 1:
        values = values.view(np.uint32)  # Pillow has signed integers only
    # asked this way, NaN is refused too
    if not ((values >= 0) & (values <= largest)).all():
        raise ValueError(f"values from {values.min():g} to {values.max():g} are not in [0, {largest:.0f}]")
    scaled = np.rint(values.astype(np.float64) * (255 / largest)).astype(np.uint8)
    if values.any() and not scaled.any():
        raise ValueError(f"values of at most {values.max():g} are black in [0, {largest:.0f}], the range of their type")
    return Image.fromarray(scaled)


def flatten(image: Image.Image, background: float) -> Image.Image:
    """The image over a grey `background` where it is transparent."""
    if not image.has_transparency_data:
        return image
    opaque = image.convert("RGBA")
    grey = round(255 * background)
    return Image.alpha_composite(Image.new("RGBA", opaque.size, (grey, grey, grey, 255)), opaque).convert("RGB")
