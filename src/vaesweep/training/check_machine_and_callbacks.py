"""Settings of a run against what this machine has, and what the model and the callbacks have to agree on."""

from collections.abc import Mapping, Sequence
from typing import Any

import lightning as L
import torch
from hydra.core.hydra_config import HydraConfig
from hydra.types import RunMode
from lightning.fabric.plugins.environments.slurm import SLURMEnvironment
from lightning.pytorch.accelerators import CUDAAccelerator, MPSAccelerator
from lightning.pytorch.callbacks import EarlyStopping, ModelCheckpoint
from omegaconf import DictConfig

from vaesweep.errors import ConfigError
from vaesweep.records.results import optimized_metrics
from vaesweep.settings.validate import validate
from vaesweep.training.metric_tracker import MetricTracker

NOT_METRICS = ("epoch", "step", "loss")
"""What Lightning offers callbacks beside the validation metrics."""


def check_machine(config: DictConfig) -> None:
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


def check_shares(trainer: Mapping[str, Any], batches: Mapping[str, int]) -> None:
    """Refuse a share of a split's `batches` that is less than one of them. Raises `ConfigError`."""
    for split, count in batches.items():
        share = trainer.get(f"limit_{split}_batches")
        if isinstance(share, float) and 0 < share < 1 and int(share * count) == 0:
            allowed = f"a number of batches, or a share of at least 1/{count}"
            raise ConfigError(f"trainer.limit_{split}_batches", share, allowed)


def check_callbacks(config: DictConfig, callbacks: Sequence[L.Callback], means: MetricTracker) -> None:
    """Refuse callbacks that cannot work with each other or with the model. `callbacks` are in the config's order.

    Raises `ConfigError`.
    """
    named = dict(zip(config.callbacks, callbacks, strict=False))
    check_states(named)
    check_monitors(named, means)
    for name in optimized_metrics(config):
        if name not in (names := validation_metrics(means)):
            raise ConfigError("optimized_metric", name, " | ".join(names))


def check_states(callbacks: Mapping[str, L.Callback]) -> None:
    """Refuse two ModelCheckpoints whose states a checkpoint could not tell apart. Raises `ConfigError`."""
    names: dict[str, str] = {}
    for name, callback in callbacks.items():
        if isinstance(callback, ModelCheckpoint) and names.setdefault(callback.state_key, name) != name:
            key = f"callbacks.{names[callback.state_key]}.monitor"
            given = f"{callback.monitor or 'null'}, which is that of callbacks.{name} too"
            raise ConfigError(key, given, "another metric, mode or interval for each ModelCheckpoint")


def check_monitors(callbacks: Mapping[str, L.Callback], means: MetricTracker) -> None:
    """Refuse a callback that waits for a metric that the model does not have.

    Where a callback is the user's own it may log metrics, of which nothing is known. Raises `ConfigError`.
    """
    if not all(type(callback).__module__.startswith(("vaesweep.", "lightning.")) for callback in callbacks.values()):
        return
    names = validation_metrics(means)
    for name, callback in callbacks.items():
        monitor = callback.monitor if isinstance(callback, ModelCheckpoint | EarlyStopping) else None
        if monitor is not None and monitor not in (*names, *NOT_METRICS):
            raise ConfigError(f"callbacks.{name}.monitor", monitor, " | ".join(names))


def validation_metrics(means: MetricTracker) -> list[str]:
    """The names of all metrics of a validation."""
    terms = torch.zeros(2 + len(means.model.declaration.terms))
    return [*means.metric_dict(terms, "val"), "val/mse", "val/active_units"]
