"""The records that pass between data, members and training."""

from typing import NamedTuple

import torch
from torch import Tensor, distributed


class Spec(NamedTuple):
    """What the data look like: image shape (C, H, W) and the number of classes (1: no labels)."""

    shape: tuple[int, int, int]
    classes: int


class Batch(NamedTuple):
    """`image` [B, C, H, W], floats in [0, 1]; `label` [B, F], int64: the class, then any other factors."""

    image: Tensor
    label: Tensor


class Terms(NamedTuple):
    """What an objective is made of, each a scalar: summed over pixels or latents, averaged over the batch.

    `distortion` = -E_q[log p(x|z)] in nats per image, with the likelihood's constant.
    `penalty` is in its own units (KL: nats per image), before its weight; `loss` is what is minimised.
    """

    distortion: Tensor
    penalty: Tensor
    loss: Tensor


def mean_over_ranks(local: Tensor) -> Tensor:
    """The mean of `local` over all processes, for penalties that are not linear in a batch mean.

    The value is global while the gradient stays local: under data-parallel training gradients are averaged
    over the processes afterwards, and d/dw f(mean_r m_r) = mean_r f'(mean) dm_r/dw is just that average.
    Every process must hold a batch of the same size. Without processes `local` comes back as it is.
    """
    if not (distributed.is_available() and distributed.is_initialized()):
        return local
    total = local.detach().clone()
    distributed.all_reduce(total)
    return local + (total / distributed.get_world_size() - local.detach())


def in_full(x: Tensor) -> Tensor:
    """`x` in float32 where mixed precision left it in half: exp(logvar) and long sums overflow there."""
    return x.float() if x.dtype in (torch.float16, torch.bfloat16) else x
