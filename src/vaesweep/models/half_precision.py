"""Numbers that mixed precision leaves in half."""

import torch
from torch import Tensor


def upcast_half(x: Tensor) -> Tensor:
    """`x` in float32 if mixed precision left it in half, where exp(logvar) and long sums overflow."""
    return x.float() if x.dtype in (torch.float16, torch.bfloat16) else x
