"""How the KL enters the loss as training goes on; `progress` runs from 0 to 1 and every schedule is whole at 1.

Validation and test are scored at progress 1: the objective as configured, comparable between epochs.
"""

import torch
from torch import Tensor, nn

from vaesweep.checks import real, whole


class Constant(nn.Module):
    """KL as it is."""

    def forward(self, kl: Tensor, progress: Tensor) -> Tensor:
        """`kl`, a scalar in nats, unchanged."""
        return kl


class Linear(nn.Module):
    """Warm-up: min(1, progress / warmup) * KL (Bowman et al. 2016, sec. 3.1; Sonderby et al. 2016)."""

    warmup: Tensor

    def __init__(self, warmup: float) -> None:
        super().__init__()
        self.register_buffer("warmup", torch.tensor(real("warmup", warmup, 0, 1)))

    def forward(self, kl: Tensor, progress: Tensor) -> Tensor:
        """`kl` scaled; a warm-up of 0 is none at all."""
        return kl * ramp(progress, self.warmup)


class Cyclical(nn.Module):
    """`cycles` equal cycles; in each the weight rises linearly over its first `ratio`, then stays at 1.

    Fu et al. 2019, eq. 6-7: beta_t = min(1, tau / R), tau = the position within the cycle.
    """

    cycles: Tensor
    ratio: Tensor

    def __init__(self, cycles: int, ratio: float) -> None:
        super().__init__()
        self.register_buffer("cycles", torch.tensor(float(whole("cycles", cycles))))
        self.register_buffer("ratio", torch.tensor(real("ratio", ratio, 0, 1)))

    def forward(self, kl: Tensor, progress: Tensor) -> Tensor:
        """`kl` scaled. Positions lie in (0, 1], so that the end of a cycle counts as its end, not as a new start."""
        turn = progress * self.cycles
        return kl * ramp(turn - (turn.ceil() - 1).clamp(min=0), self.ratio)


class Capacity(nn.Module):
    """|KL - C|, C rising linearly from 0 to `C` nats over the first `ramp` of training (Burgess et al. 2018, eq. 8).

    The paper's gamma is the member's `beta`.
    """

    C: Tensor
    ramp: Tensor

    def __init__(self, C: float, ramp: float) -> None:
        super().__init__()
        self.register_buffer("C", torch.tensor(real("C", C, 0)))
        self.register_buffer("ramp", torch.tensor(real("ramp", ramp, 0, 1)))

    def forward(self, kl: Tensor, progress: Tensor) -> Tensor:
        """Distance of `kl` from the capacity, nats."""
        return (kl - self.C * ramp(progress, self.ramp)).abs()


def ramp(position: Tensor, length: Tensor) -> Tensor:
    """From 0 to 1 while `position` goes from 0 to `length`, then 1; a length of 0 is 1 throughout."""
    return torch.where(position < length, position / length, torch.ones_like(position))
