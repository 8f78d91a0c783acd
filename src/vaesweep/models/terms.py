"""The records that pass between data, models and training."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import torch
from torch import Tensor, distributed


class Spec(NamedTuple):
    """The data's image shape (C, H, W), number of classes (1: no labels) and number of training images."""

    shape: tuple[int, int, int]
    classes: int
    images: int = 1


class Batch(NamedTuple):
    """`image` [B, C, H, W], floats in [0, 1]; `label` [B, F], int64: the class, then any other factors."""

    image: Tensor
    label: Tensor


class Terms(NamedTuple):
    """The objective and its parts: summed over pixels or latent dimensions, averaged over the batch.

    `distortion` = -E_q[log p(x|z)] in nats per image, with the likelihood's constant, a scalar.
    `penalties` [t] are the terms that the model declares, in that order, in their own units, before any weight.
    `loss`, a scalar, is what is minimised.
    """

    distortion: Tensor
    penalties: Tensor
    loss: Tensor


@dataclass(frozen=True)
class Declaration:
    """What a model records. Training, records, W&B, evaluation, report and terminal read this and nothing else.

    `terms`: the unit of every term beside the distortion, by name, in the order of `Terms.penalties`.
    `rate`: the term that is a KL to the prior N(0, I), if one is; the model's posterior is then a `DiagonalGaussian`.
    `rate_weight`: the setting of the model that multiplies the rate in the loss, where the loss is distortion plus
    weight times rate and nothing else at the end of training. `rate_target`: the rate in nats that the loss aims at.
    `conditional`: whether encoder and decoder are given the label, so that the distortion is -log p(x|z, y).
    `sparse`: whether few units of the code are meant to be active. `dimension_unit`: unit of `Autoencoder.dimensions`.
    """

    terms: Mapping[str, str] = field(default_factory=dict)
    rate: str | None = None
    rate_weight: str | None = None
    rate_target: float | None = None
    conditional: bool = False
    sparse: bool = False
    dimension_unit: str = "variance of the code"

    @property
    def penalties(self) -> list[str]:
        """The terms other than the rate."""
        return [name for name in self.terms if name != self.rate]

    @classmethod
    def from_record(cls, record: Mapping[str, Any]) -> "Declaration":
        """The inverse of `dataclasses.asdict`. Raises TypeError for any other record."""
        return cls(**record)


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


def upcast_half(x: Tensor) -> Tensor:
    """`x` in float32 if mixed precision left it in half, where exp(logvar) and long sums overflow."""
    return x.float() if x.dtype in (torch.float16, torch.bfloat16) else x
