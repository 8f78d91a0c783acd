"""From the configuration of a run to a trained and tested model."""

import logging
import warnings
from typing import Any

import lightning as L
import torch
from lightning.pytorch.profilers import PassThroughProfiler

from vaesweep.records.log_to_loggers import log_results
from vaesweep.settings.instantiate import build, check_type
from vaesweep.settings.validate import validate
from vaesweep.training.build_parts import build_callbacks, build_data, build_module, start_loggers
from vaesweep.training.callbacks.resumption import Resumption
from vaesweep.training.check_callbacks import check_callbacks
from vaesweep.training.check_devices import check_devices
from vaesweep.training.checkpoint_io import AtomicCheckpointIO
from vaesweep.training.load_checkpoint import CHECKPOINT, best_checkpoint, load_weights
from vaesweep.training.planned_run import PlannedRun
from vaesweep.training.record_training import Stopwatch, record_duration, record_metrics
from vaesweep.training.resume_with_max_steps import restart_cut_epochs_only
from vaesweep.training.skip_step_overhead import spare_steps

IRRELEVANT_WARNINGS = (
    "isinstance.treespec, LeafSpec",  # deprecated between Lightning and torch
    "`broadcast_buffers` is deprecated",  # and here the new name is too new for the oldest torch that we run on
    "could not find the monitored key",  # in an epoch without a validation; `check_callbacks` refuses other names
    "The number of training batches",  # fewer than the logging interval, which ends with the epoch anyway
    "Checkpoint directory",  # that it is not empty, which a resumed run's should not be
    "Experiment logs directory",  # likewise
)


def train_and_test(job: PlannedRun) -> None:
    """Build the parts, train, test, and fill in the record.

    The parts are built in the order of what is cheapest to refuse; the loggers, which leave traces, come last.
    """
    config, results = job.config, job.results
    validate(config)  # src/train.py did so before torch was imported, but not every job comes from there
    check_devices(config)
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
    log_results(trainer.loggers, results, module.tracker.training_means())


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
