"""Many models as one."""

import copy
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.func import functional_call, vmap

from vaesweep.models import Autoencoder, Batch, Scores, Terms
from vaesweep.models.distributions import Likelihood


class Stack(nn.Module):
    """M members that differ in nothing but tensors, with the contract of one and a leading member axis:
    `forward(batch, noise [M, ...]) -> Terms` of [M] each. All see the same batch.

    Its parameters and buffers are those of `template`, each stacked [M, ...]; a call maps `template` over them (`vmap`
    of `functional_call`, as in torch.func's model ensembling). Members do not mix, so that row m of a gradient of
    `loss.sum()` is what member m would get alone. Raises ValueError for members of which `architecture_key` differs.
    """

    def __init__(self, members: Sequence[Autoencoder]) -> None:
        super().__init__()
        if len({architecture_key(member) for member in members}) > 1:
            raise ValueError("members of a stack may differ in weights and knobs alone")
        self.template = copy.deepcopy(members[0])
        self.originals = members
        for name, part in self.template.named_modules():
            twins = [member.get_submodule(name) for member in members]
            for key, weight in part.named_parameters(recurse=False):
                rows = torch.stack([twin.get_parameter(key).detach() for twin in twins])
                setattr(part, key, nn.Parameter(rows, requires_grad=weight.requires_grad))
            for key, _ in part.named_buffers(recurse=False):
                part.register_buffer(key, torch.stack([twin.get_buffer(key) for twin in twins]))

    def forward(self, batch: Batch, noise: Tensor) -> Terms:
        """The objective of every member on one batch, given each one's standard normal `noise` [M, ...]."""
        return vmap(lambda state, own: functional_call(self.template, state, (batch, own)))(self.state(), noise)

    def score(self, batch: Batch, *noises: Tensor) -> Scores:
        """`Autoencoder.score` of every member, given draws of noise [M, ...]; each part [M, ...]."""
        scoring = ScoreAsForward(self.template)
        state = {f"member.{name}": tensor for name, tensor in self.state().items()}
        return vmap(lambda own, *draws: functional_call(scoring, own, (batch, *draws)))(state, *noises)

    def state(self) -> dict[str, Tensor]:
        """Parameters and buffers by name, stacked."""
        return dict(self.template.named_parameters()) | dict(self.template.named_buffers())

    def sync_members(self) -> Sequence[Autoencoder]:
        """The members themselves, their tensors made slices of the stack's: what is trained in one is trained in both.

        To be called again after the stack was moved to another device.
        """
        for name, rows in self.state().items():
            owner, _, key = name.rpartition(".")
            for member, row in zip(self.originals, rows.detach().unbind(), strict=True):
                part = member.get_submodule(owner)
                if isinstance(getattr(part, key), nn.Parameter):
                    getattr(part, key).data = row
                else:
                    setattr(part, key, row)
        return self.originals

    def clip(self, norm: float) -> None:
        """Scale each member's gradient down to `norm`, where it is longer (Pascanu et al. 2013, algorithm 1)."""
        rows = [weight.grad for weight in self.parameters() if weight.grad is not None]
        lengths = torch.stack([grad.reshape(len(grad), -1).norm(dim=1) for grad in rows]).norm(dim=0)
        for grad in rows:
            # the constant is torch's, in clip_grad_norm_
            grad.mul_((norm / (lengths + 1e-6)).clamp(max=1).reshape(-1, *[1] * (grad.dim() - 1)))

    def noise_shape(self, batch: Batch) -> tuple[int, ...]:
        """Of each member."""
        return self.template.noise_shape(batch)

    @property
    def latent_dim(self) -> int:
        return self.template.latent_dim

    @property
    def progress(self) -> Tensor:
        """Share of training done [M], the same for all."""
        return self.template.progress

    @property
    def likelihood(self) -> Likelihood:
        """With parameters, where it has any, stacked [M]."""
        return self.template.likelihood


class ScoreAsForward(nn.Module):
    """A member whose call is its `score`, as `functional_call` knows no other method."""

    def __init__(self, member: Autoencoder) -> None:
        super().__init__()
        self.member = member

    def forward(self, batch: Batch, *noises: Tensor) -> Scores:
        return self.member.score(batch, *noises)


def architecture_key(member: nn.Module) -> str:
    """All that a model is but for the values of its tensors; models of which this is the same make a stack."""
    return repr([(name, *module_key(part)) for name, part in member.named_modules()])


def module_key(part: nn.Module) -> tuple[Any, ...]:
    """One module's own class, settings, and shapes of parameters and buffers."""
    settings = {key: value for key, value in vars(part).items() if key not in vars(nn.Module())}
    return type(part), settings, shapes(part._parameters), shapes(part._buffers)


def shapes(tensors: Mapping[str, Tensor | None]) -> dict[str, Any]:
    return {name: tensor if tensor is None else (tensor.shape, tensor.dtype) for name, tensor in tensors.items()}
