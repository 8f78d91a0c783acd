"""What callbacks have to agree on with each other and with the model."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import lightning as L
import torch
from lightning.pytorch.callbacks import EarlyStopping, ModelCheckpoint
from omegaconf import DictConfig

from vaesweep.errors import ConfigError
from vaesweep.records.results import optimized_metrics
from vaesweep.training.callbacks import GracefulStop
from vaesweep.training.epoch_metrics import EpochMetrics
from vaesweep.training.load_checkpoint import CHECKPOINT

NOT_METRICS = ("epoch", "step", "loss")
"""What Lightning offers a ModelCheckpoint beside the validation metrics."""


def check_callbacks(config: DictConfig, callbacks: Sequence[L.Callback], means: EpochMetrics) -> None:
    """Refuse callbacks that cannot work with each other or with the model. `callbacks` are in the config's order.

    Raises `ConfigError`.
    """
    named = dict(zip(config.callbacks, callbacks, strict=False))
    check_states(named)
    check_best_files(named)
    check_last_file(named, Path(config.folder) / CHECKPOINT)
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


def check_best_files(callbacks: Mapping[str, L.Callback]) -> None:
    """Refuse several checkpoints in one file, of which the latest would be left. Raises `ConfigError`."""
    files: dict[tuple[Any, str], str] = {}
    for name, callback in callbacks.items():
        if isinstance(callback, ModelCheckpoint) and callback.filename:
            first = files.setdefault((callback.dirpath, callback.filename), name)
            if first != name:
                given = f"{callback.filename}, which is that of callbacks.{first} too"
                raise ConfigError(f"callbacks.{name}.filename", given, "a file of its own")
    for name, callback in callbacks.items():
        if not isinstance(callback, ModelCheckpoint) or callback.save_top_k in (0, 1) or not callback.monitor:
            continue
        has_one_name = callback.filename is not None and "{" not in callback.filename
        if has_one_name and not callback._enable_version_counter:
            given = f"{callback.save_top_k} with one file for all, {callback.filename}.ckpt"
            allowed = f"1, or callbacks.{name}.filename with a field such as {{epoch}}"
            raise ConfigError(f"callbacks.{name}.save_top_k", given, allowed)


def check_last_file(callbacks: Mapping[str, L.Callback], file: Path) -> None:
    """Refuse a last checkpoint that is not in `file`, from which runs are resumed. Raises `ConfigError`."""
    for name, callback in callbacks.items():
        if isinstance(callback, GracefulStop) and callback.path.resolve() != file.resolve():
            raise ConfigError(f"callbacks.{name}.path", callback.path, f"{file}: a run is resumed from it")
        if name != "last" or not isinstance(callback, ModelCheckpoint):
            continue
        written = Path(callback.dirpath or "", f"{callback.filename}.ckpt")
        if written.resolve() != file.resolve():
            raise ConfigError("callbacks.last.filename", written, f"{file}: a run is resumed from it")
        if callback._enable_version_counter:
            allowed = f"false: a run is resumed from {file.name}, which the first session would keep"
            raise ConfigError("callbacks.last.enable_version_counter", True, allowed)


def check_monitors(callbacks: Mapping[str, L.Callback], means: EpochMetrics) -> None:
    """Refuse a callback that waits for a metric that the model does not have.

    Where a callback is the user's own it may log metrics, of which nothing is known. Raises `ConfigError`.
    """
    if not all(type(callback).__module__.startswith(("vaesweep.", "lightning.")) for callback in callbacks.values()):
        return
    names = validation_metrics(means)
    for name, callback in callbacks.items():
        monitor = callback.monitor if isinstance(callback, ModelCheckpoint | EarlyStopping) else None
        others = NOT_METRICS if isinstance(callback, ModelCheckpoint) else ()
        if monitor is not None and monitor not in (*names, *others):
            raise ConfigError(f"callbacks.{name}.monitor", monitor, " | ".join(names))


def validation_metrics(means: EpochMetrics) -> list[str]:
    """The names of all metrics of a validation."""
    terms = torch.zeros(2 + len(means.model.declaration.terms))
    return [*means.metric_dict(terms, "val"), "val/mse", "val/active_units"]
