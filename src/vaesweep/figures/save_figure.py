"""Saves figures to files."""

import warnings
from io import BytesIO
from pathlib import Path

from matplotlib.figure import Figure
from PIL import Image

from vaesweep.atomic_files import atomically

FRAME = 120
"""Milliseconds per frame of a film."""


def save(figure: Figure | list[Figure], stem: Path) -> Path:
    """Save a figure as `stem`.png, or the frames of a film as `stem`.gif, atomically; return its path."""
    path = stem.with_name(f"{stem.name}.{'png' if isinstance(figure, Figure) else 'gif'}")
    with atomically(path) as part_path, warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Glyph .* missing from font")  # a box stands for it, as in any program
        if isinstance(figure, Figure):
            figure.savefig(part_path, format="png", dpi=120)
        else:
            first, *others = [Image.open(picture(frame)).convert("RGB").quantize(64) for frame in figure]
            first.save(part_path, format="GIF", save_all=True, append_images=others, duration=FRAME, loop=0)
    return path


def picture(figure: Figure) -> BytesIO:
    """A figure as a PNG in memory."""
    buffer = BytesIO()
    figure.savefig(buffer, format="png", dpi=80)
    return buffer
