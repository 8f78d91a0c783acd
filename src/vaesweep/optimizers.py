"""Optimizer and learning rate."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import groupby
from typing import Any

import torch
from torch import nn
from torch.optim.lr_scheduler import LRScheduler, OneCycleLR

from vaesweep.checks import Invalid, choice, real


@dataclass(frozen=True)
class Adam:
    """Adam (Kingma & Ba 2015) at a constant `rate`, or `onecycle`: up to `lr` in 30 % of the steps, then down to 0.

    One-cycle is Smith & Topin 2018 as in torch, with its inverse cycle of beta1. `weight_decay` is added to the
    gradient (an L2 penalty). Raises `Invalid`.
    """

    lr: float
    weight_decay: float
    betas: Sequence[float]
    rate: str

    def __post_init__(self) -> None:
        real("lr", self.lr, 0, strict=True)
        real("weight_decay", self.weight_decay, 0)
        if not isinstance(self.betas, list | tuple) or len(self.betas) != 2:
            raise Invalid("betas", self.betas, "two numbers, such as [0.9, 0.999]")
        for beta in self.betas:
            real("betas", beta, 0, 1)
        choice("rate", self.rate, ("constant", "onecycle"))

    def __call__(
        self,
        groups: Iterable[dict[str, Any]],
        steps: int,
        fused: bool = True,
        kind: type[torch.optim.Adam] = torch.optim.Adam,
    ) -> tuple[torch.optim.Optimizer, LRScheduler | None]:
        """The optimizer of some parameter groups, and for `onecycle` its scheduler over `steps` optimizer steps.

        `fused` takes the fused kernel where the device has one.
        """
        make = partial(
            kind,
            list(groups),
            lr=self.lr,
            betas=(self.betas[0], self.betas[1]),
            weight_decay=self.weight_decay,
        )
        try:
            optimizer = make(fused=fused)
        except RuntimeError:  # no fused kernel for this device
            optimizer = make()
        if self.rate == "constant":
            return optimizer, None
        return optimizer, OneCycleLR(optimizer, [group["lr"] for group in optimizer.param_groups], total_steps=steps)


def stretches(optimizers: Sequence[Adam]) -> Iterator[tuple[slice, Adam]]:
    """Neighbours that share a rate and a decay: the fewer, the fewer calls of the optimizer's kernel."""
    start = 0
    for adam, same in groupby(optimizers):
        stop = start + len(list(same))
        yield slice(start, stop), adam
        start = stop


def together(
    optimizers: Sequence[Adam], groups: Sequence[dict[str, Any]], steps: int, fused: bool = True
) -> tuple[torch.optim.Optimizer, LRScheduler | None]:
    """The optimizer of stacked parameters [M, ...], in which each member has its own `lr` and `weight_decay`.

    For each of the `stretches` of members there are the groups that a member has alone, over its rows.
    """
    split = [
        {"lr": adam.lr, "weight_decay": adam.weight_decay} | group | {"rows": rows}
        for rows, adam in stretches(optimizers)
        for group in groups
    ]
    return optimizers[0](split, steps, fused, Memberwise)


class Memberwise(torch.optim.Adam):
    """Adam over `rows`, a slice of the first axis, of each group's parameters: every row is what it would be alone."""

    def __init__(self, groups: Iterable[dict[str, Any]], **options: Any) -> None:
        self.views: list[tuple[nn.Parameter, nn.Parameter, slice]] = []
        own = []
        for group in groups:
            rows = group["rows"]
            views = [(nn.Parameter(whole.data[rows]), whole, rows) for whole in group["params"]]
            own.append(
                {key: value for key, value in group.items() if key != "rows"} | {"params": [v[0] for v in views]}
            )
            self.views += views
        super().__init__(own, **options)

    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        """One step, after `closure` where it is given, which is to compute the gradients."""
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        for view, whole, rows in self.views:
            view.grad = None if whole.grad is None else whole.grad[rows]
        super().step()
        return loss

    def zero_grad(self, set_to_none: bool = True) -> None:
        """Let go of the gradients, those of the stacked parameters too."""
        for view, whole, _ in self.views:
            view.grad = whole.grad = None
