"""One run, from its configuration to its results.json."""

import logging
import os
import signal
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import lightning as L
from filelock import FileLock, Timeout
from hydra.core.hydra_config import HydraConfig
from hydra.types import RunMode
from lightning.fabric.plugins.environments.slurm import SLURMEnvironment
from lightning.pytorch.accelerators import CUDAAccelerator, MPSAccelerator
from lightning.pytorch.callbacks import LambdaCallback, ModelCheckpoint, Timer
from lightning.pytorch.plugins.io import TorchCheckpointIO
from lightning.pytorch.utilities import rank_zero_only
from omegaconf import DictConfig, ListConfig, OmegaConf

from vaesweep import loggers
from vaesweep.checks import Diverged, Invalid, choice, flag, whole
from vaesweep.data import ImageData
from vaesweep.entry import build
from vaesweep.experiment import Experiment
from vaesweep.farewell import farewell
from vaesweep.files import atomically
from vaesweep.results import Results, canonical, flat
from vaesweep.resuming import CHECKPOINT, OVERRIDES
from vaesweep.signals import REQUEUE, SIGNALS, Interrupted, interrupt

PATIENCE = 60
"""Seconds to wait for another process to leave the run's folder."""

QUIET = (
    "isinstance.treespec, LeafSpec",  # deprecated between Lightning and torch,
    "`broadcast_buffers` is deprecated",  # and here the new name is too new for the oldest torch we run on
    "The number of training batches",  # fewer than the logging interval, which ends with the epoch anyway
    "Checkpoint directory",  # that it is not empty, which a resumed run's should not be
)
"""Warnings that say nothing to the person."""


def run(config: DictConfig) -> dict[str, float]:
    """Train and test what `config` says, leave the record in its folder, return the test metrics.

    With `resume` a run that is completed already is not run again, and one that was interrupted goes on from its last
    checkpoint. Raises `Invalid` when another process is at work in the folder, or when it would run over a finished
    job of an earlier study; and whatever `attempt` raises.
    """
    folder = Path(config.folder)
    results = Results.of(config, HydraConfig.get().overrides.task)
    if int(os.environ.get("SLURM_RESTART_COUNT", 0)) > 0:
        config.resume = True  # SLURM put the job back into the queue, and nobody is there to ask for it
    if getattr(rank_zero_only, "rank", 0) > 0:  # the first process holds the lock for all
        return resume_or_attempt(config, folder, results)
    lock = FileLock(folder / ".lock")
    try:
        # an orphan of a launcher that was killed takes a moment to stop
        lock.acquire(timeout=PATIENCE)
    except Timeout:
        raise Invalid("folder", f"{folder} while another process runs in it", "one process at a time") from None
    with lock:
        return resume_or_attempt(config, folder, results)


def resume_or_attempt(config: DictConfig, folder: Path, results: Results) -> dict[str, float]:
    """What `run` says of earlier runs; every process of SLURM's asks, as none is started by the first."""
    earlier = Results.found(folder)
    if earlier and earlier.status == "completed" and earlier.config_hash == results.config_hash and config.resume:
        print(f"completed earlier: {os.path.relpath(folder)}")
        return earlier.metrics
    if earlier and not config.resume and HydraConfig.get().mode == RunMode.MULTIRUN:
        raise Invalid("resume", f"false in the folder of an earlier job, {folder}", "true, or another folder")
    return attempt(config, folder, results)


def attempt(config: DictConfig, folder: Path, results: Results) -> dict[str, float]:
    """Run, and record the attempt: however it ends, results.json says so and the W&B run is closed.

    Raises what went wrong, and SystemExit with 128 + the signal's number after an interruption; after one by REQUEUE
    whatever handled that signal before gets it in the end, submitit for example.
    """
    plain: Any = OmegaConf.to_container(config, resolve=True, throw_on_missing=True)
    others = getattr(rank_zero_only, "rank", 0) > 0  # the first process speaks for all
    refused = told = requeued = False
    before = {signum: signal.signal(signum, interrupt) for signum in SIGNALS}
    try:
        results.metrics = execute(config, plain, folder, results)
        results.status = "completed"
    except Interrupted as stop:
        results.status, results.reason = "interrupted", signal.Signals(stop.signum).name
        requeued = stop.signum == REQUEUE
        raise SystemExit(0 if others else 128 + stop.signum) from None
    except Exception as error:
        ours = isinstance(error, Invalid | Diverged)
        results.reason = str(error) if ours else f"{type(error).__name__}: {' '.join(str(error).split())}"
        told = ours and HydraConfig.get().mode != RunMode.MULTIRUN
        # what an earlier session left is worth more than the record of a resumption that never began
        refused = isinstance(error, Invalid) and bool(config.resume)
        if others and ours and HydraConfig.get().mode != RunMode.MULTIRUN:
            # all processes see it at once; one that failed would have the first killed before it can say why
            raise SystemExit(0) from None
        raise
    finally:
        for signum, handler in before.items():
            signal.signal(signum, handler)
        if not others:
            try:
                if not refused:
                    results.write(folder)
            finally:
                loggers.finish(failed=results.status != "completed")
            if not told:
                farewell(results, folder)
        handler = before[REQUEUE]
        if requeued and callable(handler):
            handler(REQUEUE, None)
    return results.metrics


def execute(config: DictConfig, plain: Mapping[str, Any], folder: Path, results: Results) -> dict[str, float]:
    """Build the parts, from the cheapest to check to the first that leaves a trace; train; test."""
    check(config)
    for name in ("lightning.pytorch", "lightning.fabric"):
        logging.getLogger(name).setLevel(logging.WARNING)
    for message in QUIET:
        warnings.filterwarnings("ignore", message=f".*{message}")
    L.seed_everything(config.seed, verbose=False)
    data: ImageData = build(config, "data")
    data.prepare_data()
    data.setup()
    member = build(config, "model", network=build(config, "network"), spec=data.spec)
    results.parameters = sum(p.numel() for p in member.parameters())
    experiment = Experiment(member, build(config, "optimizer"), config.seed, learned(results.config))
    callbacks = [build(config, f"callbacks.{name}") for name in config.callbacks]
    if config.resume:
        # once training has begun, when nothing can refuse it any more
        callbacks.append(LambdaCallback(on_train_epoch_start=lambda *_: remember(config, folder)))
    parts = {"callbacks": callbacks, "logger": False, "plugins": Whole(), "default_root_dir": folder}
    trainer: L.Trainer = build(config, "trainer", **parts)
    if config.compile:
        member.compile()
    trainer.logger = build(config, "logger", folder=folder, config=plain)

    timer = next(c for c in callbacks if isinstance(c, Timer))
    keeper = next(c for c in callbacks if isinstance(c, ModelCheckpoint) and c.monitor)
    checkpoint = folder / CHECKPOINT
    try:
        start = checkpoint if config.resume and checkpoint.is_file() else None
        trainer.fit(experiment, datamodule=data, ckpt_path=start, weights_only=True)
    finally:
        results.epochs = trainer.current_epoch
        results.seconds = round(timer.time_elapsed("train"), 3)
        results.seconds_per_epoch = round(results.seconds / max(1, results.epochs), 4)
    tested = keeper.best_model_path if config.test == "best" else None
    (scores,) = trainer.test(experiment, datamodule=data, ckpt_path=tested, weights_only=True, verbose=False)
    results.dimensions = [round(value, 6) for value in experiment.dimensions]
    return {name: round(value, 6) for name, value in scores.items()}


class Whole(TorchCheckpointIO):
    """Checkpoints that are whole or not there; Lightning's own pass through the temporary folder, and may be cut."""

    def save_checkpoint(self, checkpoint: dict[str, Any], path: Any, storage_options: Any | None = None) -> None:
        with atomically(Path(path)) as unfinished:
            super().save_checkpoint(checkpoint, unfinished, storage_options)


def learned(config: Mapping[str, Any]) -> dict[str, Any]:
    """The settings that weights depend on, flat, of a run's material config."""
    parts = ("seed", "model", "network", "data", "optimizer")
    return flat({key: canonical(config[key]) for key in parts})


def remember(config: DictConfig, folder: Path) -> None:
    """Record what a resumption was told, for the next one; Hydra leaves a resumed folder's record alone."""
    if getattr(rank_zero_only, "rank", 0) == 0:
        (folder / ".hydra").mkdir(exist_ok=True)
        OmegaConf.save(config, folder / ".hydra" / "config.yaml")
        OmegaConf.save(HydraConfig.get().overrides.task, folder / OVERRIDES)


def check(config: DictConfig) -> None:
    """Refuse what no constructor of ours sees. Raises `Invalid`."""
    whole("seed", config.seed, 0)
    flag("compile", config.compile)
    choice("test", config.test, ("last", "best"))
    whole("trainer.max_epochs", config.trainer.max_epochs)
    # true half precision is not among them: objective terms are float32, and a half decoder would not take their codes
    choice("trainer.precision", config.trainer.precision, ("32-true", "bf16-mixed", "16-mixed", "64-true"))
    devices = config.trainer.devices
    if (
        config.trainer.strategy == "auto"
        and devices != 1
        and not (isinstance(devices, ListConfig) and len(devices) == 1)
    ):
        raise Invalid(
            "trainer.devices", devices, f"1, a list of one such as [0], or trainer=ddp trainer.devices={devices}"
        )
    one_process = HydraConfig.get().mode == RunMode.MULTIRUN and not SLURMEnvironment.detect()
    if config.trainer.strategy != "auto" and devices != 1 and one_process:
        # Lightning would start the other processes by the command line, which is that of the whole sweep
        raise Invalid("trainer.devices", f"{devices} in a sweep of one process", "hydra/launcher=pool, or slurm")
    seen = {"cuda": CUDAAccelerator.is_available(), "mps": MPSAccelerator.is_available()}
    wanted = config.trainer.accelerator
    if (wanted == "gpu" and not any(seen.values())) or not seen.get(wanted, True):
        raise Invalid("trainer.accelerator", wanted, "cpu | auto, as torch sees no such device on this machine")
