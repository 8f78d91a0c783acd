"""The LightningModule of a stack."""

from collections.abc import Callable, Sequence
from typing import Any, cast

import torch
from torch import Tensor
from torch.nn.utils import clip_grad_value_

from vaesweep.errors import DivergenceError
from vaesweep.models import Autoencoder, Batch
from vaesweep.records.log_to_loggers import log_metrics
from vaesweep.stacking.optimizer import memberwise_adam, param_group_slices
from vaesweep.stacking.stacked_model import Stack
from vaesweep.stacking.trainer_view import MemberTrainerView
from vaesweep.training.check_resumption import check_epochs
from vaesweep.training.lightning_module import LitAutoencoder, draw_noise


class LitStack(LitAutoencoder):
    """Trains the members of a `Stack` at once, each to what it would come to alone.

    The members are modules of their own, one a view, that keep their records and log to their loggers. One that
    diverges is dropped, and its view says why. Raises `DivergenceError` when none is left.
    """

    def __init__(self, views: Sequence[MemberTrainerView]) -> None:
        members = [view.module for view in views]
        stack = cast(Autoencoder, Stack([member.model for member in members]))
        first = members[0]
        super().__init__(stack, first.optimizer_recipe, first.seed, samples=first.samples)
        self.views = list(views)

    @property
    def stack(self) -> Stack:
        """The model of all members."""
        return cast(Stack, self.model)

    def make_optimizer(self, groups: list[dict[str, Any]], fused: bool) -> tuple[torch.optim.Optimizer, Any]:
        recipes = [view.module.optimizer_recipe for view in self.views]
        for i, (rows, _) in enumerate(param_group_slices(recipes)):
            for view in self.views[rows]:
                view.module.steps, view.module.param_group = self.steps, i * len(groups)
        return memberwise_adam(recipes, groups, self.steps, fused)

    def noise(self, batch: Batch, *name: int | str, world: int = 1, rank: int = 0) -> Tensor:
        """Noise for each member, by its own seed [M, ...]."""
        seeds = [view.module.seed for view in self.views]
        by_seed = {
            seed: draw_noise(self.model, batch, (seed, *name), self.device, world, rank)
            for seed in dict.fromkeys(seeds)
        }
        return torch.stack([by_seed[seed] for seed in seeds])

    def check_first_batch(self, batch: Batch) -> None:
        self.sync_members()
        self.views[0].module.check_first_batch(batch)

    def training_step(self, batch: Batch, batch_idx: int) -> Tensor:
        return super().training_step(batch, batch_idx).sum()

    def configure_gradient_clipping(
        self, optimizer: Any, gradient_clip_val: float | None = None, gradient_clip_algorithm: str | None = None
    ) -> None:
        # not of the optimizer's parameters, which are views of the stack's
        if gradient_clip_val and gradient_clip_algorithm == "value":
            clip_grad_value_(self.stack.parameters(), gradient_clip_val)
        elif gradient_clip_val:
            self.stack.clip(gradient_clip_val)

    def log_terms(self, values: Tensor, steps: tuple[int, ...]) -> Tensor:
        """Log the terms [n, M, 2 + t] of n `steps` to each member's loggers; their mean losses."""
        by_view = dict(zip(self.views, values.unbind(1), strict=True))

        def log(view: MemberTrainerView) -> Tensor:
            view.loss = view.module.log_terms(by_view[view], steps)
            return view.loss

        return torch.stack(self.for_each_active(log))

    def log_split(self, stage: str) -> None:
        """Log the objective of each member over the whole split, to its own loggers."""
        values, variance = self.split_means.compute(), self.code_variance.compute()
        images = self.image_scores.compute().unflatten(1, (len(self.views), -1)).unbind(1)
        for scores in (self.split_means, self.code_variance, self.image_scores):
            scores.reset()
        self.sync_members()  # a penalty is a function of their knobs, wherever those are by now
        rows = zip(values, variance.view(len(self.views), -1), images, strict=True)
        by_view = dict(zip(self.views, rows, strict=True))

        def log(view: MemberTrainerView) -> None:
            metrics = view.module.tracker.finish_split(stage, *by_view[view], self.global_step)
            if self.trainer.state.fn != "validate" and not self.trainer.sanity_checking:
                # trained epochs, as in history.csv; Lightning counts the last one before the test
                epoch = self.current_epoch + (self.trainer.state.fn == "fit")
                log_metrics(view.loggers, metrics | {"epoch": epoch}, self.global_step)

        self.for_each_active(log)

    def active_members(self) -> list[MemberTrainerView]:
        """The members that have not been dropped."""
        return [view for view in self.views if view.is_active]

    def for_each_active(self, call: Callable[[MemberTrainerView], Any]) -> list[Any]:
        """`call` of each active member; one that diverges in it is dropped."""
        results = []
        for view in self.active_members():
            try:
                results.append(call(view))
            except DivergenceError as error:
                self.drop_member(view, error)
        return results

    def drop_member(self, view: MemberTrainerView, error: Exception) -> None:
        """Leave a member out from here on, or raise the error where it was the last."""
        view.failure, view.epochs = error, self.current_epoch
        if not self.active_members():
            raise error

    def sync_members(self) -> None:
        """Make the tensors of every member's model the stack's at this moment."""
        self.stack.sync_members()
        for view in self.views:
            view.module.to(self.device)

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        self.log_pending()
        checkpoint["epoch_metrics"] = [view.module.tracker.state_dict() for view in self.views]

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        check_epochs(self.trainer, checkpoint)
        for view, state in zip(self.views, checkpoint["epoch_metrics"], strict=True):
            view.module.tracker.load_state_dict(state)
