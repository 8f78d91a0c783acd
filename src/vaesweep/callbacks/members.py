"""Callbacks of each member of a stack."""

from collections.abc import Sequence
from typing import Any

import lightning as L
from lightning.pytorch.callbacks import ModelCheckpoint, ProgressBar, Timer

from vaesweep.callbacks.curves import Curves
from vaesweep.callbacks.drawing import Drawing
from vaesweep.callbacks.examples import Examples
from vaesweep.callbacks.interruption import Interruption
from vaesweep.experiment import Experiment
from vaesweep.seat import Seat
from vaesweep.stack import Stack

SHARED = Interruption, ProgressBar, Timer
"""Callbacks of which a stack has one."""
OWN = Curves, Drawing, Examples, ModelCheckpoint
"""Callbacks of which each member has its own."""


class Members(L.Callback):
    """Hands the hooks of epochs and of training on to the callbacks of every member that is not left out.

    One whose callbacks fail is, from there on.
    """

    def __init__(self, seats: Sequence[Seat]) -> None:
        self.seats = seats

    def setup(self, trainer: L.Trainer, pl_module: L.LightningModule, stage: str) -> None:
        for seat in self.seats:
            seat.trainer = trainer
            seat.call("setup", stage)

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
        """`hook` of every member that is still there, with its weights and terms of the moment."""
        assert isinstance(stack, Experiment)
        assert isinstance(stack.member, Stack)
        stack.flush()
        stack.member.members()
        for seat in self.seats:
            if seat.taken:
                seat.experiment.to(stack.device)
                try:
                    seat.call(hook)
                except Exception as error:  # a full disk, a figure that cannot be drawn: it is this member's alone
                    stack.lose(seat.account, error)

    def load_state_dict(self, state_dict: Any) -> None:
        for seat, states in zip(self.seats, state_dict, strict=True):
            seat.remind(states)
