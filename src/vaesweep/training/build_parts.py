"""The parts of a run, each built from the configuration: data, model and module, callbacks, loggers."""

import copy
from dataclasses import asdict
from pathlib import Path

import lightning as L
from lightning.pytorch.loggers import CSVLogger, Logger
from lightning.pytorch.plugins import DoublePrecision
from omegaconf import DictConfig

from vaesweep.data import ImageDataModule
from vaesweep.errors import ConfigError
from vaesweep.models import Autoencoder, Spec
from vaesweep.records.log_to_loggers import log_settings
from vaesweep.records.run_name import run_name
from vaesweep.settings.instantiate import build, check_type
from vaesweep.training.check_batch_limits import check_shares
from vaesweep.training.check_resumption import checkpoint_settings
from vaesweep.training.lightning_module import LitAutoencoder
from vaesweep.training.load_checkpoint import best_checkpoint
from vaesweep.training.planned_run import PlannedRun


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


def build_module(job: PlannedRun, data: ImageDataModule) -> LitAutoencoder:
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


def start_loggers(job: PlannedRun) -> list[Logger]:
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
