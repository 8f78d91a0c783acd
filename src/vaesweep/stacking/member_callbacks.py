"""Callbacks of the members of a stack."""

from collections.abc import Sequence
from typing import Any

import lightning as L
from lightning.pytorch.callbacks import ModelCheckpoint, ProgressBar, Timer

from vaesweep.stacking.lightning_module import LitStack
from vaesweep.stacking.trainer_view import MemberTrainerView
from vaesweep.training.callbacks import ExampleImages, FigureLogger, GracefulStop, HistoryCSV

SHARED_CALLBACKS = GracefulStop, ProgressBar, Timer
"""Callbacks of which a stack has one."""
PER_MEMBER_CALLBACKS = HistoryCSV, FigureLogger, ExampleImages, ModelCheckpoint
"""Callbacks of which each member has its own."""


class MemberCallbacks(L.Callback):
    """Hands the hooks of epochs and of training on to the callbacks of every active member.

    A member whose callbacks fail is dropped.
    """

    def __init__(self, views: Sequence[MemberTrainerView]) -> None:
        self.views = views

    def setup(self, trainer: L.Trainer, pl_module: L.LightningModule, stage: str) -> None:
        for view in self.views:
            view.trainer = trainer
            view.call("setup", stage)

    def on_train_start(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        self.call("on_train_start", pl_module)

    def on_validation_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        self.call("on_validation_end", pl_module)

    def on_train_epoch_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        self.call("on_train_epoch_end", pl_module)

    def on_train_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        self.call("on_train_end", pl_module)

    def on_test_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        self.call("on_test_end", pl_module)

    def call(self, hook: str, stack: L.LightningModule) -> None:
        """`hook` of every active member, with its weights and terms of the moment."""
        assert isinstance(stack, LitStack)
        stack.log_pending()
        stack.sync_members()
        for view in stack.active_members():
            try:
                view.call(hook)
            except Exception as error:  # a full disk, a figure that cannot be drawn: it is this member's alone
                stack.drop_member(view, error)

    def load_state_dict(self, state_dict: Any) -> None:
        for view, states in zip(self.views, state_dict, strict=True):
            view.load_callback_states(states)
