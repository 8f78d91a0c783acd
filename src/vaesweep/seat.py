"""A member's place in a stack."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import lightning as L
from lightning.pytorch.callbacks import Checkpoint
from lightning.pytorch.loggers import Logger
from torch import Tensor

from vaesweep.account import Account
from vaesweep.experiment import Experiment


class Seat:
    """The trainer of a stack as the callbacks of one member see it: with that member's metrics, loggers, checkpoints.

    `experiment` is theirs, whose tensors are rows of the stack's. What is not said here is the trainer's own.
    """

    def __init__(self, account: Account, callbacks: Sequence[L.Callback], folder: Path) -> None:
        self.account, self.folder = account, folder
        # checkpoints last, as Lightning orders them, for the states of the others to be those of the moment
        self.own = sorted(callbacks, key=lambda callback: isinstance(callback, Checkpoint))
        self.experiment = Experiment(account)
        self.trainer: Any = None

    def __getattr__(self, name: str) -> Any:
        return getattr(self.trainer, name)

    @property
    def taken(self) -> bool:
        """Whether the member is not left out."""
        return self.account.failure is None

    @property
    def callback_metrics(self) -> dict[str, Tensor]:
        return self.account.metrics

    @property
    def loggers(self) -> list[Logger]:
        return list(self.account.loggers)

    def save_checkpoint(self, path: Any, weights_only: bool | None = None, storage_options: Any | None = None) -> None:
        """The member's own; see `Unstacked`."""
        self.trainer.save_checkpoint(path, weights_only, storage_options=self)

    def call(self, hook: str, *arguments: Any) -> None:
        """`hook` of the member's callbacks."""
        for callback in self.own:
            getattr(callback, hook)(self, self.experiment, *arguments)

    def callback_states(self) -> dict[str, Any]:
        """What the member's callbacks want to remember, as a checkpoint keeps it."""
        return {callback.state_key: state for callback in self.own if (state := callback.state_dict())}

    def remind(self, states: dict[str, Any]) -> None:
        """Give it back to them."""
        for callback in self.own:
            if callback.state_key in states:
                callback.load_state_dict(states[callback.state_key])
