"""The squared norm of the Jacobian dz/dx of an encoder of convolutions and dense layers."""

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.func import vjp
from torch.nn import functional as F

from vaesweep.models.jacobian import ROWS
from vaesweep.models.networks import ACTIVATIONS, Encoder

Pull = Callable[[Tensor], Tensor]
"""Takes rows [n, B, ...] of a Jacobian by a layer's output to those by its input."""


def known_layers(encoder: nn.Module, code: nn.Module) -> list[nn.Module] | None:
    """The layers of an encoder and its code; None if `pull_through` does not know one of them.

    It knows no class of one's own, which may compute anything.
    """
    if not (type(encoder) is Encoder and encoder.planes and type(encoder.body) is nn.Sequential):
        return None
    layers: list[nn.Module] = [*encoder.body, code]
    known = (nn.Linear, nn.Flatten, *ACTIVATIONS.values())
    return layers if all(type(layer) in known or is_plain_convolution(layer) for layer in layers) else None


def is_plain_convolution(layer: nn.Module) -> bool:
    """Whether a layer is a convolution that pads with zeros, and by a number."""
    return type(layer) is nn.Conv2d and layer.padding_mode == "zeros" and not isinstance(layer.padding, str)


def squared_norms_by_rows(layers: Sequence[nn.Module], x: Tensor, channels: int) -> Tensor:
    """sum_b ||dz/dx(x_b)||_F^2, a scalar, by the first `channels` of `x` [B, C, H, W], for z [B, d] by all `layers`.

    With h the output of the narrowest dense layer, dz/dx = A J with A = dz/dh and J = dh/dx, and ||dz/dx||_F^2 =
    tr(A (J J^T) A^T): only the rows of J are pulled back through the convolutions, and J J^T [h, h] is small.
    """
    pulls, widths = [], []
    for layer in layers:
        pulls.append(pull_through(layer, x))
        x = layer(x)
        widths.append(x.shape[1] if x.dim() == 2 else torch.inf)
    split = max(range(len(layers)), key=lambda k: (-widths[k], k)) + 1
    above = pull(pulls[split:], units(x, x.shape[1]))
    narrow = above.shape[2]
    parts = [pull(pulls[:split], rows)[:, :, :channels] for rows in units(x, narrow).split(ROWS)]
    # in float32 under mixed precision: a Gram matrix squares
    with torch.autocast(x.device.type, enabled=False):
        wide = torch.promote_types(x.dtype, torch.float32)
        if split == len(layers):
            return torch.stack([part.to(wide).square().sum() for part in parts]).sum()
        by_image = torch.cat(parts).to(wide).flatten(2).transpose(0, 1)
        return ((above.to(wide).transpose(0, 1) @ (by_image @ by_image.mT)) * above.to(wide).transpose(0, 1)).sum()


def units(x: Tensor, width: int) -> Tensor:
    """The rows of d(h)/d(h) [width, B, width] for an h [B, width], which are the same for every image."""
    return torch.eye(width, dtype=x.dtype, device=x.device)[:, None, :].expand(-1, len(x), -1)


def pull(pulls: Sequence[Pull], rows: Tensor) -> Tensor:
    """Rows pulled back through layers, the last one first."""
    for through in reversed(pulls):
        rows = through(rows)
    return rows


def pull_through(layer: nn.Module, x: Tensor) -> Pull:
    """How rows are pulled back through a layer whose input is `x`."""
    if isinstance(layer, nn.Identity):
        return lambda rows: rows
    if isinstance(layer, nn.Linear):
        return lambda rows: rows @ layer.weight
    if isinstance(layer, nn.Flatten):
        # channels last in memory, which makes the transposed convolutions of a CPU 1.2 times as fast
        return lambda rows: rows.unflatten(2, x.shape[1:]).movedim(2, -1).contiguous().movedim(-1, 2)
    if isinstance(layer, nn.Conv2d):
        return lambda rows: transposed_convolution(layer, rows.flatten(0, 1), x).unflatten(0, (-1, len(x)))
    output, of_activation = vjp(layer, x)[:2]
    (slope,) = of_activation(torch.ones_like(output))
    if isinstance(layer, nn.ReLU):
        slope = slope.detach()  # has no gradient, which autograd would compute
    return lambda rows: rows * slope


def transposed_convolution(layer: nn.Conv2d, rows: Tensor, x: Tensor) -> Tensor:
    """Rows [N, C', H', W'] by the output of a convolution as rows [N, C, H, W] by its input, of the size of `x`."""
    both: Any = layer.padding  # numbers, as `is_plain_convolution` says
    missing = [
        size - ((out - 1) * stride - 2 * padding + dilation * (kernel - 1) + 1)
        for size, out, stride, padding, dilation, kernel in zip(
            x.shape[2:], rows.shape[2:], layer.stride, both, layer.dilation, layer.kernel_size, strict=True
        )
    ]
    return F.conv_transpose2d(rows, layer.weight, None, layer.stride, both, missing, layer.groups, layer.dilation)
