"""Adam over stacked parameters, with a learning rate and a weight decay for each member."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import groupby
from typing import Any

import torch
from torch import nn
from torch.optim.lr_scheduler import LRScheduler

from vaesweep.training.fused_adam import FusedAdam
from vaesweep.training.optimizers import Adam


def param_group_slices(recipes: Sequence[Adam]) -> Iterator[tuple[slice, Adam]]:
    """Slices of the members, neighbours that share a rate and a decay: one parameter group serves all of a slice."""
    start = 0
    for recipe, same in groupby(recipes):
        stop = start + len(list(same))
        yield slice(start, stop), recipe
        start = stop


def memberwise_adam(
    recipes: Sequence[Adam], groups: Sequence[dict[str, Any]], steps: int, fused: bool = True
) -> tuple[torch.optim.Optimizer, LRScheduler | None]:
    """The optimizer of stacked parameters [M, ...], in which each member has its own `lr` and `weight_decay`.

    For each of the `param_group_slices` there are the groups that a member has alone, over its rows.
    """
    split = [
        {"lr": recipe.lr, "weight_decay": recipe.weight_decay} | group | {"rows": rows}
        for rows, recipe in param_group_slices(recipes)
        for group in groups
    ]
    return recipes[0](split, steps, fused, MemberwiseAdam)


class MemberwiseAdam(FusedAdam):
    """Adam over `rows`, a slice of the first axis, of each group's parameters: every row is what it would be alone."""

    def __init__(self, groups: Iterable[dict[str, Any]], **options: Any) -> None:
        self.views: list[tuple[nn.Parameter, nn.Parameter, slice]] = []
        sliced = []
        for group in groups:
            rows = group["rows"]
            views = [(nn.Parameter(stacked.data[rows]), stacked, rows) for stacked in group["params"]]
            settings = {key: value for key, value in group.items() if key != "rows"}
            sliced.append(settings | {"params": [view for view, *_ in views]})
            self.views += views
        super().__init__(sliced, **options)

    def step_without_hooks(self, closure: Callable[[], Any] | None = None) -> Any:
        """One step, after `closure` where it is given, which is to compute the gradients."""
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        for view, stacked, rows in self.views:
            view.grad = None if stacked.grad is None else stacked.grad[rows]
        super().step_without_hooks()
        return loss

    def zero_grad(self, set_to_none: bool = True) -> None:
        """Let go of the gradients, those of the stacked parameters too."""
        for view, stacked, _ in self.views:
            view.grad = stacked.grad = None
