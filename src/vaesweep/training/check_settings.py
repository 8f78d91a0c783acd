"""Settings of a run against what this machine has, and what the model and the callbacks have to agree on."""

from collections.abc import Sequence
from typing import Any

import lightning as L
import torch
from hydra.core.hydra_config import HydraConfig
from hydra.types import RunMode
from lightning.fabric.plugins.environments.slurm import SLURMEnvironment
from lightning.pytorch.accelerators import CUDAAccelerator, MPSAccelerator
from lightning.pytorch.callbacks import EarlyStopping, ModelCheckpoint
from omegaconf import DictConfig

from vaesweep.checks import ConfigError
from vaesweep.settings.validate import validate
from vaesweep.training.metric_record import MetricRecord

NOT_METRICS = ("epoch", "step", "loss")
"""What Lightning offers callbacks beside the validation metrics."""


def check_settings(config: DictConfig) -> None:
    """Refuse what no run could use, here or on this machine. Raises `ConfigError`."""
    validate(config)  # src/train.py did so before torch was imported, but not every job comes from there
    devices = config.trainer.devices
    one_process = HydraConfig.get().mode == RunMode.MULTIRUN and not SLURMEnvironment.detect()
    if config.trainer.strategy != "auto" and devices != 1 and one_process:
        # Lightning would start the other processes by the command line, which is that of the whole sweep
        raise ConfigError("trainer.devices", f"{devices} in a sweep of one process", "hydra/launcher=pool, or slurm")
    seen = {"cuda": CUDAAccelerator.is_available(), "mps": MPSAccelerator.is_available()}
    wanted = config.trainer.accelerator
    if (wanted == "gpu" and not any(seen.values())) or not seen.get(wanted, True):
        raise ConfigError("trainer.accelerator", wanted, "cpu | auto, as torch sees no such device on this machine")


def check_type(key: str, part: Any, base: type) -> None:
    """Refuse a part whose `_target_` makes something else than a `base`. Raises `ConfigError`."""
    if not isinstance(part, base):
        given = f"a {type(part).__module__}.{type(part).__name__}"
        raise ConfigError(key, given, f"a class that inherits from {base.__module__}.{base.__name__}")


def check_monitors(config: DictConfig, callbacks: Sequence[L.Callback], record: MetricRecord) -> None:
    """Refuse a callback that waits for a metric that the model does not have. `callbacks` are in the config's order.

    Where a callback is the user's own it may log metrics, of which nothing is known. Raises `ConfigError`.
    """
    if not all(type(callback).__module__.startswith(("vaesweep.", "lightning.")) for callback in callbacks):
        return
    terms = torch.zeros(2 + len(record.model.declaration.terms))
    names = [*record.metric_dict(terms, "val"), "val/mse", "val/active_units"]
    for name, callback in zip(config.callbacks, callbacks, strict=False):
        monitor = callback.monitor if isinstance(callback, ModelCheckpoint | EarlyStopping) else None
        if monitor is not None and monitor not in (*names, *NOT_METRICS):
            raise ConfigError(f"callbacks.{name}.monitor", monitor, " | ".join(names))
