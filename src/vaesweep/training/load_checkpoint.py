"""The checkpoint files of a run: read or refused, the best one found, weights loaded from one."""

import warnings
from collections.abc import Sequence, Set
from pathlib import Path
from typing import Any

import lightning as L
import torch
from lightning.pytorch.callbacks import ModelCheckpoint

from vaesweep.errors import ConfigError
from vaesweep.training.lightning_module import LitAutoencoder

CHECKPOINT = Path("checkpoints/last.ckpt")
"""The checkpoint in a run folder that a resumed run goes on from."""
PARTS = {"state_dict", "callbacks", "loops", "optimizer_states", "lr_schedulers", "global_step", "epoch_metrics"}
"""What the checkpoint of a run has."""


def read_checkpoint(key: str, path: Any, map_location: Any, parts: Set[str]) -> dict[str, Any]:
    """The checkpoint of a run, with `parts`. Raises `ConfigError` for setting `key` where it is damaged or none."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # what torch guesses of a foreign file
            checkpoint: dict[str, Any] = torch.load(path, map_location=map_location, weights_only=True)
    except (MemoryError, torch.OutOfMemoryError):
        raise
    except Exception as error:  # torch raises whatever the bytes lead it to
        why = error.strerror if isinstance(error, OSError) and error.strerror else "damaged, or no file of torch's"
        raise ConfigError(key, f"{path}, which cannot be read ({why})", "the checkpoint of a run") from error
    if not isinstance(checkpoint, dict) or not set(checkpoint) >= parts:
        raise ConfigError(key, f"{path}, which is another kind of file", "the checkpoint of a run")
    return checkpoint


def best_checkpoint(callbacks: Sequence[L.Callback]) -> str:
    """The best checkpoint so far, "" where there is none yet. Raises `ConfigError` where no callback keeps one."""
    for callback in callbacks:
        if isinstance(callback, ModelCheckpoint) and callback.monitor and callback.save_top_k:
            return callback.best_model_path
    given = "best without a ModelCheckpoint that monitors a metric"
    raise ConfigError("test_checkpoint", given, "last, or callbacks with one, as callbacks.best is, which keeps a file")


def load_weights(module: LitAutoencoder, checkpoint: str) -> None:
    """Give the module's model the weights in a checkpoint. Raises `ConfigError` where there is none to be read."""
    if not checkpoint:
        raise ConfigError("test_checkpoint", "best of no validation", "last, or training that ends an epoch")
    state = read_checkpoint("test_checkpoint", checkpoint, module.device, {"state_dict"})["state_dict"]
    module.model.load_state_dict({name.removeprefix("model."): tensor for name, tensor in state.items()})
