"""What the callbacks of one member of a stack see as their trainer."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import lightning as L
from lightning.pytorch.callbacks import Checkpoint
from lightning.pytorch.loggers import Logger
from torch import Tensor

from vaesweep.training.lightning_module import LitAutoencoder


class MemberTrainerView:
    """Trainer proxy that shows one member's metrics, loggers and checkpoints to its callbacks and its module.

    `module` is the member's own, whose tensors are slices of the stack's. `failure` says why the member was dropped,
    and `epochs` how many it lasted. `loss` is the latest mean of its training loss. What is not defined
    here is the trainer's own.
    """

    def __init__(self, module: LitAutoencoder, callbacks: Sequence[L.Callback], folder: Path) -> None:
        self.module, self.folder = module, folder
        # checkpoints last, as Lightning orders them, for the states of the others to be those of the moment
        self.callbacks = sorted(callbacks, key=lambda callback: isinstance(callback, Checkpoint))
        self.loggers: list[Logger] = []
        self.failure: Exception | None = None
        self.epochs: int | None = None
        self.loss: Tensor | None = None
        self.trainer: Any = None
        module.trainer = self  # type: ignore[assignment]

    def __getattr__(self, name: str) -> Any:
        return getattr(self.trainer, name)

    @property
    def is_active(self) -> bool:
        """Whether the member has not been dropped."""
        return self.failure is None

    @property
    def callback_metrics(self) -> dict[str, Tensor]:
        return self.module.tracker.metrics | ({} if self.loss is None else {"loss": self.loss})

    def save_checkpoint(self, path: Any, weights_only: bool | None = None, storage_options: Any | None = None) -> None:
        """The member's own; see `PerMemberCheckpointIO`."""
        self.trainer.save_checkpoint(path, weights_only, storage_options=self)

    def call(self, hook: str, *arguments: Any) -> None:
        """`hook` of the member's callbacks."""
        for callback in self.callbacks:
            getattr(callback, hook)(self, self.module, *arguments)

    def callback_states(self) -> dict[str, Any]:
        """The states of the member's callbacks, as a checkpoint keeps them."""
        return {callback.state_key: state for callback in self.callbacks if (state := callback.state_dict())}

    def load_callback_states(self, states: dict[str, Any]) -> None:
        """Give its callbacks the states that a checkpoint kept."""
        for callback in self.callbacks:
            if callback.state_key in states:
                callback.load_state_dict(states[callback.state_key])
