"""From configuration to trained members: one job, or several as a stack."""

import logging
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import lightning as L
import torch
from hydra.core.hydra_config import HydraConfig
from hydra.types import RunMode
from lightning.fabric.plugins.environments.slurm import SLURMEnvironment
from lightning.pytorch.accelerators import CUDAAccelerator, MPSAccelerator
from lightning.pytorch.callbacks import LambdaCallback, ModelCheckpoint, Timer
from lightning.pytorch.utilities import rank_zero_only
from omegaconf import DictConfig, ListConfig, OmegaConf

from vaesweep.account import Account
from vaesweep.callbacks import SHARED, Members
from vaesweep.checkpoints import CHECKPOINT, Unstacked, Whole
from vaesweep.checks import Invalid, choice, flag, reason, whole
from vaesweep.data import ImageData
from vaesweep.entry import build
from vaesweep.experiment import Experiment
from vaesweep.optimizers import stretches
from vaesweep.results import Results, canonical, flat
from vaesweep.resuming import OVERRIDES
from vaesweep.seat import Seat
from vaesweep.slicing import ALONE
from vaesweep.stack import Stack

QUIET = (
    "isinstance.treespec, LeafSpec",  # deprecated between Lightning and torch,
    "`broadcast_buffers` is deprecated",  # and here the new name is too new for the oldest torch we run on
    "The number of training batches",  # fewer than the logging interval, which ends with the epoch anyway
    "Checkpoint directory",  # that it is not empty, which a resumed run's should not be
)
"""Warnings that say nothing to the person."""


@dataclass(eq=False)
class Job:
    """A run that is yet to come: its configuration, resolved where that depends on the job, its folder and record."""

    config: DictConfig
    folder: Path
    results: Results


def execute(jobs: Sequence[Job]) -> None:
    """Build the parts, from the cheapest to check to the first that leaves a trace; train; test; fill in the records.

    What several jobs share is built from the first's configuration.
    """
    config, results = jobs[0].config, [job.results for job in jobs]
    for job in jobs:
        check(job.config)
    for name in ("lightning.pytorch", "lightning.fabric"):
        logging.getLogger(name).setLevel(logging.WARNING)
    for message in QUIET:
        warnings.filterwarnings("ignore", message=f".*{message}")
    data: ImageData = build(config, "data")
    data.prepare_data()
    data.setup()
    accounts = [account(job, data) for job in jobs]
    experiment = Experiment(*accounts)
    own = [[build(job.config, f"callbacks.{name}") for name in job.config.callbacks] for job in jobs]
    if len(jobs) == 1:
        parts: dict[str, Any] = {"callbacks": own[0], "plugins": Whole()}
    else:
        parts = stacked(accounts, own, [job.folder for job in jobs])
    if config.resume and len(jobs) == 1:
        # once training has begun, when nothing can refuse it any more
        parts["callbacks"].append(LambdaCallback(on_train_epoch_start=lambda *_: remember(jobs[0])))
    trainer: L.Trainer = build(config, "trainer", **parts, logger=False, default_root_dir=jobs[0].folder)
    if config.compile:
        experiment.member.compile()
    for job, one in zip(jobs, accounts, strict=True):
        plain: Any = OmegaConf.to_container(job.config, resolve=True, throw_on_missing=True)
        one.loggers = [build(job.config, "logger", folder=job.folder, config=plain)]
    if len(jobs) == 1:
        (trainer.logger,) = accounts[0].loggers

    timer = next(c for c in own[0] if isinstance(c, Timer))
    checkpoint = jobs[0].folder / CHECKPOINT
    try:
        start = checkpoint if config.resume and checkpoint.is_file() else None
        trainer.fit(experiment, datamodule=data, ckpt_path=start, weights_only=True)
        if config.test == "best":
            for one, callbacks in zip(accounts, own, strict=True):
                keeper = next(c for c in callbacks if isinstance(c, ModelCheckpoint) and c.monitor)
                if not one.failure:
                    load(experiment, one, keeper.best_model_path)
        trainer.test(experiment, datamodule=data, verbose=False)
    finally:
        for record, one in zip(results, accounts, strict=True):
            record.epochs = trainer.current_epoch if one.epochs is None else one.epochs
            record.stacked = len(jobs)
            record.seconds = round(timer.time_elapsed("train") / len(jobs), 3)
            record.seconds_per_epoch = round(record.seconds / max(1, record.epochs), 4)
            record.reason = reason(one.failure) if one.failure else None
    for record, one in zip(results, accounts, strict=True):
        if not one.failure:
            scores = {name: value.item() for name, value in one.metrics.items() if name.startswith("test/")}
            record.metrics = {name: round(value, 6) for name, value in scores.items()}
            record.dimensions = [round(value, 6) for value in one.dimensions]
            record.status = "completed"


def account(job: Job, data: ImageData) -> Account:
    """The member of a job, with its initial weights, and what it is trained by."""
    config = job.config
    L.seed_everything(config.seed, verbose=False)
    member = build(config, "model", network=build(config, "network"), spec=data.spec)
    job.results.parameters = sum(p.numel() for p in member.parameters())
    return Account(member, build(config, "optimizer"), config.seed, learned(job.results.config))


def stacked(
    accounts: Sequence[Account], callbacks: Sequence[Sequence[L.Callback]], folders: Sequence[Path]
) -> dict[str, Any]:
    """Parts of the trainer that differ for a stack: one progress bar, one clock, and the members' own callbacks."""
    shared = [callback for callback in callbacks[0] if isinstance(callback, SHARED)]
    seats = [
        Seat(one, [callback for callback in own if not isinstance(callback, SHARED)], folder)
        for one, own, folder in zip(accounts, callbacks, folders, strict=True)
    ]
    sharing = [rows for rows, _ in stretches([one.optimizer for one in accounts])]
    plugin = Unstacked(seats, sharing)
    return {"callbacks": [*shared, Members(seats)], "plugins": plugin, "enable_checkpointing": False}


def load(experiment: Experiment, account: Account, path: str) -> None:
    """A member's weights as they are in one of its checkpoints."""
    if isinstance(experiment.member, Stack):
        experiment.member.members()
    kept = torch.load(path, map_location=experiment.device, weights_only=True)["state_dict"]
    account.member.load_state_dict({name.removeprefix(ALONE): tensor for name, tensor in kept.items()})


def learned(config: Mapping[str, Any]) -> dict[str, Any]:
    """The settings that weights depend on, flat, of a run's material config."""
    parts = ("seed", "model", "network", "data", "optimizer")
    return flat({key: canonical(config[key]) for key in parts})


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


def remember(job: Job) -> None:
    """Record what a resumption was told, for the next one; Hydra leaves a resumed folder's record alone."""
    if getattr(rank_zero_only, "rank", 0) == 0:
        (job.folder / ".hydra").mkdir(exist_ok=True)
        OmegaConf.save(job.config, job.folder / ".hydra" / "config.yaml")
        OmegaConf.save(job.results.overrides, job.folder / OVERRIDES)
