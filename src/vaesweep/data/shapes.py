"""Shapes: the factor grid of dSprites, rendered here, so that nothing has to be downloaded."""

from functools import cache
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import pad

from vaesweep.data.image_data_module import ImageDataModule
from vaesweep.seeded_generator import generator
from vaesweep.settings.check_arguments import check_int

SIZES = (3, 6, 40, 32, 32)
"""Values of each factor: shape (square, ellipse, heart), scale, orientation, x, y (Matthey et al. 2017)."""
SIDE, TILE, SAMPLES = 64, 33, 8
"""Pixels of an image and of the tile that any shape fits in; sample points along a pixel."""


def inside(shape: int, u: Tensor, v: Tensor) -> Tensor:
    """Whether points (u, v), in pixels at scale 1 and v upwards, lie in the shape; all fit in a circle of radius 16."""
    if shape == 0:
        return (u.abs() <= 9.5) & (v.abs() <= 9.5)
    if shape == 1:
        return (u / 14).square() + (v / 7).square() <= 1
    u, v = u / 11, v / 11 + 0.05
    return (u.square() + v.square() - 1) ** 3 <= u.square() * v**3


@cache
def templates() -> Tensor:
    """Every shape, scale and orientation [720, 95, 95] uint8 0 or 1, centred on a canvas that any window fits in.

    Scales are 0.5 to 1, orientations 0 to 2 pi, both ends included. A pixel is on where at least half of its
    `SAMPLES`^2 sample points lie inside: anti-aliased coverage, thresholded.
    """
    ticks = (torch.arange(TILE * SAMPLES) + 0.5) / SAMPLES - TILE / 2
    y, x = torch.meshgrid(-ticks, ticks, indexing="ij")
    tiles = torch.zeros((*SIZES[:3], TILE, TILE), dtype=torch.uint8)
    for s in range(SIZES[0]):
        for i, scale in enumerate(torch.linspace(0.5, 1, SIZES[1])):
            for j, turn in enumerate(torch.linspace(0, 2 * torch.pi, SIZES[2])):
                u = (x * turn.cos() + y * turn.sin()) / scale
                v = (y * turn.cos() - x * turn.sin()) / scale
                coverage = inside(s, u, v).view(TILE, SAMPLES, TILE, SAMPLES).float().mean((1, 3))
                tiles[s, i, j] = coverage >= 0.5
    margin = (SIDE + SIZES[3] - 1 - TILE) // 2
    return pad(tiles.flatten(0, 2), (margin,) * 4)


def render(index: Tensor) -> Tensor:
    """Images [N, 1, 64, 64] uint8 0 or 1 of points `index` [N] of the grid, the last factor running fastest.

    x and y move the shape by whole pixels, from 16.5 to 47.5, so an image is a window of its template.
    """
    shape_scale_turn, position = index // (SIZES[3] * SIZES[4]), index % (SIZES[3] * SIZES[4])
    x, y = position // SIZES[4], position % SIZES[4]
    windows = templates().unfold(1, SIDE, 1).unfold(2, SIDE, 1)
    return windows[shape_scale_turn, SIZES[4] - 1 - y, SIZES[3] - 1 - x][:, None]


class Shapes(ImageDataModule):
    """1 x 64 x 64 binary images of the dSprites grid, 3 x 6 x 40 x 32 x 32 = 737,280, or `size` drawn from `seed`.

    Labels are the five factor indices, in the order of `SIZES`; the first, the shape, is the class.
    """

    peak = 1

    def __init__(self, size: int | None, **options: Any) -> None:
        super().__init__(**options)
        self.size = None if size is None else check_int("size", size)

    def load(self) -> tuple[tuple[Tensor, Tensor], None]:
        total = torch.tensor(SIZES).prod().item()
        draw = torch.randperm(int(total), generator=generator(self.seed, "shapes"))
        index = torch.arange(int(total)) if self.size is None else draw[: self.size].sort().values
        return (render(index), torch.stack(torch.unravel_index(index, SIZES), dim=1)), None
