"""From the configuration of a run to a trained and tested model."""

import copy
import logging
import time
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import lightning as L
import torch
from lightning.pytorch.callbacks import Timer
from lightning.pytorch.loggers import CSVLogger, Logger
from lightning.pytorch.plugins import DoublePrecision
from lightning.pytorch.profilers import PassThroughProfiler
from lightning.pytorch.utilities import rank_zero_only
from omegaconf import DictConfig

from vaesweep.data import ImageDataModule
from vaesweep.errors import ConfigError
from vaesweep.models import Autoencoder, Spec
from vaesweep.records.log_to_loggers import log_results, log_settings
from vaesweep.records.per_image_scores import write_image_scores
from vaesweep.records.results import Results
from vaesweep.records.run_name import run_name
from vaesweep.settings.instantiate import build, check_type
from vaesweep.settings.validate import validate
from vaesweep.settings.value_rules import is_int
from vaesweep.training.check_callbacks import check_callbacks
from vaesweep.training.check_checkpoint_settings import checkpoint_settings
from vaesweep.training.check_machine import check_machine
from vaesweep.training.checkpoint_files import CHECKPOINT, best_checkpoint, load_weights
from vaesweep.training.checkpoint_io import AtomicCheckpointIO
from vaesweep.training.lightning_module import LitAutoencoder
from vaesweep.training.metric_tracker import MetricTracker
from vaesweep.training.resumption import Resumption, restart_cut_epochs_only
from vaesweep.training.run_job import RunJob
from vaesweep.training.step_overhead import spare_steps

IRRELEVANT_WARNINGS = (
    "isinstance.treespec, LeafSpec",  # deprecated between Lightning and torch
    "`broadcast_buffers` is deprecated",  # and here the new name is too new for the oldest torch that we run on
    "could not find the monitored key",  # in an epoch without a validation; `check_callbacks` refuses other names
    "The number of training batches",  # fewer than the logging interval, which ends with the epoch anyway
    "Checkpoint directory",  # that it is not empty, which a resumed run's should not be
    "Experiment logs directory",  # likewise
)


def train_and_test(job: RunJob) -> None:
    """Build the parts, train, test, and fill in the record.

    The parts are built in the order of what is cheapest to refuse; the loggers, which leave traces, come last.
    """
    config, results = job.config, job.results
    validate(config)  # src/train.py did so before torch was imported, but not every job comes from there
    check_machine(config)
    silence_lightning()
    data = build_data(config)
    module = build_module(job, data)
    callbacks = build_callbacks(config)
    check_callbacks(config, callbacks, module.tracker)
    if config.resume:
        callbacks.append(Resumption(job, callbacks))
    trainer: L.Trainer = build(
        config,
        "trainer",
        callbacks=callbacks,
        plugins=AtomicCheckpointIO(config.checkpoint_every_n_seconds),
        logger=False,
        default_root_dir=job.folder,
    )
    check_type("trainer", trainer, L.Trainer)
    spare_steps(trainer)
    restart_cut_epochs_only(trainer)
    results.device = device_name(trainer)
    if config.compile:
        module.model.compile()
    trainer.loggers = start_loggers(job)
    clock = Stopwatch(callbacks)
    try:
        checkpoint = job.folder / CHECKPOINT
        start = checkpoint if config.resume and checkpoint.is_file() else None
        trainer.fit(module, datamodule=data, ckpt_path=start, weights_only=True)
        # a profile is one of training, and Lightning's PyTorchProfiler fails at a test of few batches
        trainer.profiler = PassThroughProfiler()  # type: ignore[attr-defined]
        if config.test_checkpoint == "best":
            load_weights(module, best_checkpoint(callbacks))
        trainer.validate(module, datamodule=data, verbose=False)
        trainer.test(module, datamodule=data, verbose=False)
    finally:
        # not trainer.current_epoch, which is one behind in a run that early stopping ended and that is only tested
        progress: Any = trainer.fit_loop.epoch_progress.current
        record_duration(results, progress.processed, clock.seconds())
    record_metrics(job, module.tracker)
    log_results(trainer.loggers, results)


def device_name(trainer: L.Trainer) -> str:
    """What the trainer trains on: cpu, or the name of a GPU, after the number of processes where there are several."""
    device = trainer.strategy.root_device
    name = torch.cuda.get_device_name(device) if device.type == "cuda" else device.type
    return name if trainer.world_size == 1 else f"{trainer.world_size} x {name}"


def silence_lightning() -> None:
    """Leave out what Lightning says of a run that is none of the user's concern."""
    for name in ("lightning.pytorch", "lightning.fabric"):
        logging.getLogger(name).setLevel(logging.WARNING)
    for message in IRRELEVANT_WARNINGS:
        warnings.filterwarnings("ignore", message=f".*{message}")


def build_data(config: DictConfig) -> ImageDataModule:
    """The data module, its images loaded."""
    data: ImageDataModule = build(config, "data")
    check_type("data", data, ImageDataModule)
    data.prepare_data()
    data.setup()
    batches = {name: len(data.batches(name)) for name in data.splits}
    # training leaves out a last batch that is smaller
    check_shares(config.trainer, batches | {"train": len(data.train_dataloader())})
    return data


def check_shares(trainer: Mapping[str, Any], batches: Mapping[str, int]) -> None:
    """Refuse a share of a split's `batches` that is less than one of them, or an interval of more than all.

    Raises `ConfigError`.
    """
    shares = {f"limit_{split}_batches": count for split, count in batches.items()}
    # Lightning overfits a share of the validation as well
    fewest = {"overfit_batches": min(batches["train"], batches["val"]), "val_check_interval": batches["train"]}
    for key, count in {**shares, **fewest}.items():
        share = trainer.get(key)
        if isinstance(share, float) and 0 < share < 1 and int(share * count) == 0:
            allowed = f"a number of batches, or a share of at least 1/{count}"
            raise ConfigError(f"trainer.{key}", share, allowed)
    interval: Any = trainer.get("val_check_interval")
    limit: Any = trainer.get("limit_train_batches") or 1.0
    count = min(limit, batches["train"]) if is_int(limit) else int(limit * batches["train"])
    if is_int(interval) and interval > count and trainer.get("check_val_every_n_epoch", 1) is not None:
        raise ConfigError("trainer.val_check_interval", interval, f"a number of batches up to {count}, or a share")


def build_module(job: RunJob, data: ImageDataModule) -> LitAutoencoder:
    """Model and module; the record says what they declare."""
    config = job.config
    model = build_model(config, data.spec)
    if config.trainer.precision == "64-true":
        model.double()
        with DoublePrecision().module_init_context():
            written = build_model(config, data.spec)
        # the weights stay those of 32-true, and a knob is the number that was written, not the float32 next to it
        for knob, value in zip(model.buffers(), written.buffers(), strict=True):
            knob.copy_(value)
    job.results.parameters = sum(p.numel() for p in model.parameters())
    job.results.declaration = asdict(model.declaration)
    job.results.rate_weight = rate_weight(model)
    job.results.data_digest = data.digest
    settings, names = checkpoint_settings(job.results.config), (job.results.model, job.results.data)
    return LitAutoencoder(model, build(config, "optimizer"), config.seed, settings, names, config.test_samples)


def build_model(config: DictConfig, spec: Spec) -> Autoencoder:
    """The model, with initial weights drawn from the seed."""
    L.seed_everything(config.seed, verbose=False)
    model: Autoencoder = build(config, "model", network=build(config, "network"), spec=spec)
    check_type("model", model, Autoencoder)
    return model


def rate_weight(model: Autoencoder) -> float | None:
    """The weight of the model's rate, where it declares one."""
    name = model.declaration.rate_weight
    return float(f"{getattr(model, name).item():.7g}") if name else None  # the digits of a float32


def build_callbacks(config: DictConfig) -> list[L.Callback]:
    """The callbacks of the configuration. Raises `ConfigError` where the test would miss one."""
    callbacks = [build(config, f"callbacks.{name}") for name in config.callbacks]
    for name, callback in zip(config.callbacks, callbacks, strict=True):
        check_type(f"callbacks.{name}", callback, L.Callback)
    if config.test_checkpoint == "best":
        best_checkpoint(callbacks)
    return callbacks


def start_loggers(job: RunJob) -> list[Logger]:
    """The loggers of the configuration, told the settings of the run. One whose `name` is null gets the run's."""
    config = copy.deepcopy(job.config)
    loggers = []
    for key, logger in (config.get("logger") or {}).items():
        if "name" in logger and logger.name is None:
            logger.name = run_name(job.results)
        loggers.append(build(config, f"logger.{key}"))
        check_type(f"logger.{key}", loggers[-1], Logger)
        if isinstance(loggers[-1], CSVLogger) and (Path(loggers[-1].log_dir) / "metrics.csv").exists():
            given = f"{loggers[-1].version}, whose metrics.csv is there and would be lost"
            raise ConfigError(f"logger.{key}.version", given, "null, a new one for each session")
    log_settings(loggers, job.results)
    return loggers


class Stopwatch:
    """Seconds of training: those of a Timer callback, which a resumed run goes on with, or those since it was made."""

    def __init__(self, callbacks: Sequence[L.Callback]) -> None:
        self.timer = next((callback for callback in callbacks if isinstance(callback, Timer)), None)
        self.start = time.monotonic()

    def seconds(self) -> float:
        return self.timer.time_elapsed("train") if self.timer else time.monotonic() - self.start


def record_duration(results: Results, epochs: int, seconds: float) -> None:
    """Enter the epochs trained, and the seconds that they took."""
    results.epochs, results.seconds = epochs, round(seconds, 3)
    results.seconds_per_epoch = round(results.seconds / max(1, epochs), 4)


def record_metrics(job: RunJob, means: MetricTracker) -> None:
    """Enter the metrics of the tested weights, with their errors, and write those of every test image."""
    results = job.results
    results.metrics = {name: round(value.item(), 6) for name, value in means.metrics.items()}
    results.errors = {name: float(f"{value:.6g}") for name, value in means.errors().items()}
    rank_zero_only(write_image_scores)(job.folder, means.image_metrics("test"))
    results.dimensions = [round(value, 6) for value in means.dimensions]
    results.status = "completed"
