"""Means and rows over all processes of a run, with the right gradients."""

from typing import Any

import torch
from torch import Tensor, distributed


def mean_over_ranks(local: Tensor) -> Tensor:
    """The mean of `local` over all processes, for penalties that are not linear in a batch mean.

    The value is global while the gradient stays local: under data-parallel training gradients are averaged
    over the processes afterwards, and d/dw f(mean_r m_r) = mean_r f'(mean) dm_r/dw is just that average.
    Every process must hold a batch of the same size. Without a process group `local` is returned.
    """
    if not (distributed.is_available() and distributed.is_initialized()):
        return local
    total = local.detach().clone()
    distributed.all_reduce(total)
    return local + (total / distributed.get_world_size() - local.detach())


class _Gather(torch.autograd.Function):
    """All-gather along the first axis. The gradient of a part is the sum of its gradients on all processes."""

    @staticmethod
    def forward(ctx: Any, local: Tensor) -> Tensor:
        parts = [torch.empty_like(local) for _ in range(distributed.get_world_size())]
        distributed.all_gather(parts, local.contiguous())
        return torch.cat(parts)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> Tensor:
        total = gradients[0].contiguous()
        distributed.all_reduce(total)
        return total.chunk(distributed.get_world_size())[distributed.get_rank()]


def gather_over_ranks(local: Tensor) -> Tensor:
    """The rows of all processes [world B, ...] from those of this one [B, ...], for terms that compare images.

    Gradients flow back to the processes that the rows are from. Every process must hold the same number of rows.
    Without a process group `local` is returned.
    """
    if not (distributed.is_available() and distributed.is_initialized()):
        return local
    rows: Tensor = _Gather.apply(local)
    return rows
