"""Schedules of the KL in the loss: `progress` runs from 0 to 1, and every schedule is complete at 1.

Validation and test are scored at progress 1: the objective as configured, comparable between epochs.
"""

import torch
from torch import Tensor, nn

from vaesweep.settings.check_arguments import check_float, check_int


class Schedule(nn.Module):
    """Base class: maps a KL, a scalar in nats, to its term in the loss at a share of training."""

    @property
    def target(self) -> Tensor | None:
        """Target KL of the loss at the end of training in nats; None without one."""
        return None

    @property
    def learned_weight(self) -> Tensor | None:
        """The weight of the KL that training has found so far; None where it is a setting."""
        return None

    def forward(self, kl: Tensor, progress: Tensor) -> Tensor:
        """The loss's term for `kl` at `progress`, both scalars."""
        raise TypeError(f"{type(self).__name__} does not say what the loss counts")


class Constant(Schedule):
    """The KL, unchanged."""

    def forward(self, kl: Tensor, progress: Tensor) -> Tensor:
        """`kl`, a scalar in nats, unchanged."""
        return kl


class Linear(Schedule):
    """Warm-up: min(1, progress / warmup) * KL (Bowman et al. 2016, sec. 3.1; Sonderby et al. 2016)."""

    warmup: Tensor

    def __init__(self, warmup: float) -> None:
        super().__init__()
        self.register_buffer("warmup", torch.tensor(check_float("warmup", warmup, 0, 1)))

    def forward(self, kl: Tensor, progress: Tensor) -> Tensor:
        """`kl` scaled; unchanged if the warm-up is 0."""
        return kl * ramp(progress, self.warmup)


class Cyclical(Schedule):
    """Cyclical warm-up: in each of `cycles` equal cycles the weight rises linearly over the first `ratio`, then is 1.

    Fu et al. 2019, eq. 6-7: beta_t = min(1, tau / R), tau = the position within the cycle.
    """

    cycles: Tensor
    ratio: Tensor

    def __init__(self, cycles: int, ratio: float) -> None:
        super().__init__()
        self.register_buffer("cycles", torch.tensor(float(check_int("cycles", cycles))))
        self.register_buffer("ratio", torch.tensor(check_float("ratio", ratio, 0, 1)))

    def forward(self, kl: Tensor, progress: Tensor) -> Tensor:
        """`kl` scaled. Positions lie in (0, 1], so that the end of a cycle counts as its end, not as a new start."""
        turn = progress * self.cycles
        # the end of a cycle may lie a rounding error behind it
        turn = torch.where((turn - turn.round()).abs() < 1e-6 * self.cycles, turn.round(), turn)
        return kl * ramp(turn - (turn.ceil() - 1).clamp(min=0), self.ratio)


class Capacity(Schedule):
    """|KL - C|, C rising linearly from 0 to `C` nats over the first `ramp` of training (Burgess et al. 2018, eq. 8).

    The paper's gamma is the model's `beta`.
    """

    C: Tensor
    ramp: Tensor

    def __init__(self, C: float, ramp: float) -> None:
        super().__init__()
        self.register_buffer("C", torch.tensor(check_float("C", C, 0)))
        self.register_buffer("ramp", torch.tensor(check_float("ramp", ramp, 0, 1)))

    @property
    def target(self) -> Tensor:
        return self.C

    def forward(self, kl: Tensor, progress: Tensor) -> Tensor:
        """Distance of `kl` from the capacity, nats."""
        return (kl - self.C * ramp(progress, self.ramp)).abs()


class Target(Schedule):
    """The KL held at `C` nats by a Lagrange multiplier e^w: min over the model, max over w of e^w * (KL - C).

    w is trained beside the model, by ascent: it rises while the KL is above C and falls while it is below (Rezende &
    Viola 2018, sec. 3, whose constraint is on the reconstruction). The model itself meets the weight
    e^(w + 3 (KL / C - 1)), whose proportional part keeps the two from circling each other (Shao et al. 2020, eq. 7).
    At the end the model is that of a beta-VAE with beta = `beta` * e^w.
    """

    SPEED = 10.0
    """Adam moves w so many times as far in a step as a weight of the model."""
    DAMPING = 3.0
    C: Tensor

    def __init__(self, C: float) -> None:
        super().__init__()
        self.register_buffer("C", torch.tensor(check_float("C", C, 0, strict=True)))
        self.log_weight = nn.Parameter(torch.zeros(()))

    @property
    def target(self) -> Tensor:
        return self.C

    @property
    def learned_weight(self) -> Tensor:
        return (self.SPEED * self.log_weight).exp()

    def forward(self, kl: Tensor, progress: Tensor) -> Tensor:
        """The excess of `kl` over C, weighted. The gradient in w is 1 - KL / C, up to a constant."""
        excess = (kl / self.C - 1).detach()
        damped = self.learned_weight.detach() * (self.DAMPING * excess.clamp(max=1)).exp()
        descent = -excess * self.log_weight
        return damped * (kl - self.C) + descent - descent.detach()


def ramp(position: Tensor, length: Tensor) -> Tensor:
    """From 0 to 1 while `position` goes from 0 to `length`, then 1; a length of 0 is 1 throughout."""
    return torch.where(position < length, position / length, torch.ones_like(position))
