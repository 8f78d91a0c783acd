"""Checkpoints: written whole, the best one found, weights loaded from one."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import lightning as L
import torch
from lightning.pytorch.callbacks import ModelCheckpoint
from lightning.pytorch.plugins.io import TorchCheckpointIO

from vaesweep.checks import ConfigError
from vaesweep.files import atomically
from vaesweep.training.module import LitAutoencoder

CHECKPOINT = Path("checkpoints/last.ckpt")
"""The checkpoint in a run folder that a resumed run goes on from."""


class AtomicCheckpointIO(TorchCheckpointIO):
    """Writes a checkpoint under another name and renames it. Lightning's own may be cut short."""

    def save_checkpoint(self, checkpoint: dict[str, Any], path: Any, storage_options: Any | None = None) -> None:
        with atomically(Path(path)) as unfinished:
            super().save_checkpoint(checkpoint, unfinished, storage_options)


def best_checkpoint(callbacks: Sequence[L.Callback]) -> str:
    """The best checkpoint so far, "" where there is none yet. Raises `ConfigError` where no callback keeps one."""
    for callback in callbacks:
        if isinstance(callback, ModelCheckpoint) and callback.monitor:
            return callback.best_model_path
    given = "best without a ModelCheckpoint that monitors a metric"
    raise ConfigError("test_checkpoint", given, "last, or callbacks with one, as callbacks.best is")


def load_weights(module: LitAutoencoder, checkpoint: str) -> None:
    """Give the module's model the weights in a checkpoint."""
    state = torch.load(checkpoint, map_location=module.device, weights_only=True)["state_dict"]
    module.model.load_state_dict({name.removeprefix("model."): tensor for name, tensor in state.items()})
