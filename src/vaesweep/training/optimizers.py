"""Optimizer and learning rate."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
from torch.optim.lr_scheduler import LRScheduler, OneCycleLR

from vaesweep.errors import ConfigError
from vaesweep.settings.check_arguments import check_choice
from vaesweep.training.fused_adam import FusedAdam

BETA1 = 0.9
"""Adam's own, which stands for the cycle of one-cycle."""


@dataclass(frozen=True)
class Adam:
    """Adam (Kingma & Ba 2015) at a `constant` rate, or `onecycle`: up to `lr` in 30 % of the steps, then down to 0.

    One-cycle is Smith & Topin 2018 as in torch, with its inverse cycle of beta1. `weight_decay` is added to the
    gradient (an L2 penalty). Raises `ConfigError` for an unknown `lr_schedule`, and for a beta1 that it would cycle.
    """

    lr: float
    weight_decay: float
    betas: Sequence[float]
    lr_schedule: str

    def __post_init__(self) -> None:
        # torch checks the numbers
        check_choice("lr_schedule", self.lr_schedule, ("constant", "onecycle"))
        if self.lr_schedule == "onecycle" and self.betas[0] != BETA1:
            allowed = f"[{BETA1}, {self.betas[1]}] with onecycle, which cycles the first, or optimizer=adam_constant"
            raise ConfigError("betas", list(self.betas), allowed)

    def __call__(
        self,
        groups: Iterable[dict[str, Any]],
        steps: int,
        fused: bool = True,
        optimizer_class: type[torch.optim.Adam] = FusedAdam,
    ) -> tuple[torch.optim.Optimizer, LRScheduler | None]:
        """The optimizer of some parameter groups, and for `onecycle` its scheduler over `steps` optimizer steps.

        `fused` takes the fused kernel where the device has one.
        """
        make = partial(
            optimizer_class,
            list(groups),
            lr=self.lr,
            betas=(self.betas[0], self.betas[1]),
            weight_decay=self.weight_decay,
        )
        try:
            optimizer = make(fused=fused)
        except RuntimeError:  # no fused kernel for this device
            optimizer = make()
        if self.lr_schedule == "constant":
            return optimizer, None
        return optimizer, OneCycleLR(optimizer, [group["lr"] for group in optimizer.param_groups], total_steps=steps)
