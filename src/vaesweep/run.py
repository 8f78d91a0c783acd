"""One run, from its configuration to its results.json."""

import logging
import os
import signal
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import lightning as L
import torch
from filelock import FileLock, Timeout
from hydra.core.hydra_config import HydraConfig
from hydra.types import RunMode
from lightning.fabric.plugins.environments.slurm import SLURMEnvironment
from lightning.pytorch.accelerators import CUDAAccelerator, MPSAccelerator
from lightning.pytorch.callbacks import LambdaCallback, ModelCheckpoint, ProgressBar, Timer
from lightning.pytorch.utilities import rank_zero_only
from omegaconf import DictConfig, ListConfig, OmegaConf

from vaesweep import loggers
from vaesweep.account import Account
from vaesweep.callbacks import Interruption, Members
from vaesweep.checkpoints import ALONE, CHECKPOINT, Unstacked, Whole
from vaesweep.checks import Diverged, Invalid, choice, flag, whole
from vaesweep.data import ImageData
from vaesweep.entry import build
from vaesweep.experiment import Experiment
from vaesweep.farewell import farewell
from vaesweep.optimizers import runs
from vaesweep.results import Results, canonical, flat
from vaesweep.resuming import OVERRIDES
from vaesweep.seat import Seat
from vaesweep.signals import REQUEUE, SIGNALS, Interrupted, interrupt
from vaesweep.stack import Stack

PATIENCE = 60
"""Seconds to wait for another process to leave the run's folder."""

QUIET = (
    "isinstance.treespec, LeafSpec",  # deprecated between Lightning and torch,
    "`broadcast_buffers` is deprecated",  # and here the new name is too new for the oldest torch we run on
    "The number of training batches",  # fewer than the logging interval, which ends with the epoch anyway
    "Checkpoint directory",  # that it is not empty, which a resumed run's should not be
)
"""Warnings that say nothing to the person."""
SHARED = Interruption, ProgressBar, Timer
"""Callbacks of which a stack has one."""


@dataclass(eq=False)
class Job:
    """A run that is yet to come: its configuration, resolved where that depends on the job, its folder and record."""

    config: DictConfig
    folder: Path
    results: Results


def run(config: DictConfig) -> dict[str, float]:
    """Train and test what `config` says, leave the record in its folder, return the test metrics.

    With `resume` a run that is completed already is not run again, and one that was interrupted goes on from its last
    checkpoint. Raises `Invalid` when another process is at work in the folder, or when it would run over a finished
    job of an earlier study; and whatever `attempt` raises.
    """
    job = Job(config, Path(config.folder), Results.of(config, HydraConfig.get().overrides.task))
    if int(os.environ.get("SLURM_RESTART_COUNT", 0)) > 0:
        config.resume = True  # SLURM put the job back into the queue, and nobody is there to ask for it
    if getattr(rank_zero_only, "rank", 0) > 0:  # the first process holds the lock for all
        return resume_or_attempt(job)
    with alone([job]):
        return resume_or_attempt(job)


@contextmanager
def alone(jobs: Sequence[Job]) -> Iterator[None]:
    """While no other process runs in the jobs' folders. Raises `Invalid` when one does."""
    with ExitStack() as stack:
        for job in jobs:
            try:
                # an orphan of a launcher that was killed takes a moment to stop
                stack.enter_context(FileLock(job.folder / ".lock").acquire(timeout=PATIENCE))
            except Timeout:
                given = f"{job.folder} while another process runs in it"
                raise Invalid("folder", given, "one process at a time") from None
        yield


def resume_or_attempt(job: Job) -> dict[str, float]:
    """What `run` says of earlier runs; every process of SLURM's asks, as none is started by the first."""
    earlier = Results.found(job.folder)
    if (
        earlier
        and earlier.status == "completed"
        and earlier.config_hash == job.results.config_hash
        and job.config.resume
    ):
        print(f"completed earlier: {os.path.relpath(job.folder)}")
        return earlier.metrics
    if earlier and not job.config.resume and HydraConfig.get().mode == RunMode.MULTIRUN:
        raise Invalid("resume", f"false in the folder of an earlier job, {job.folder}", "true, or another folder")
    attempt([job])
    return job.results.metrics


def attempt(jobs: Sequence[Job]) -> None:
    """Run, several jobs as one stack, and record the attempt: however it ends, each job's results.json says so and its
    W&B run is closed.

    Raises what went wrong, and SystemExit with 128 + the signal's number after an interruption; after one by REQUEUE
    whatever handled that signal before gets it in the end, submitit for example. One of several jobs that diverges
    raises nothing: its record says it.
    """
    others = getattr(rank_zero_only, "rank", 0) > 0  # the first process speaks for all
    refused = told = requeued = False
    ending, reason = "failed", None
    before = {signum: signal.signal(signum, interrupt) for signum in SIGNALS}
    try:
        execute(jobs)
    except Interrupted as stop:
        ending, reason = "interrupted", signal.Signals(stop.signum).name
        requeued = stop.signum == REQUEUE
        raise SystemExit(0 if others else 128 + stop.signum) from None
    except Exception as error:
        ours = isinstance(error, Invalid | Diverged)
        reason = str(error) if ours else f"{type(error).__name__}: {' '.join(str(error).split())}"
        told = ours and HydraConfig.get().mode != RunMode.MULTIRUN
        # what an earlier session left is worth more than the record of a resumption that never began
        refused = isinstance(error, Invalid) and bool(jobs[0].config.resume)
        if others and ours and HydraConfig.get().mode != RunMode.MULTIRUN:
            # all processes see it at once; one that failed would have the first killed before it can say why
            raise SystemExit(0) from None
        raise
    finally:
        for signum, handler in before.items():
            signal.signal(signum, handler)
        unwritten = []
        for job in jobs if not others else ():
            if job.results.status != "completed" and job.results.reason is None:
                job.results.status, job.results.reason = ending, reason
            try:
                if not refused:
                    job.results.write(job.folder)
            except OSError as error:  # a full disk, for which the other records may be small enough
                unwritten.append(error)
            loggers.finish(job.folder, failed=job.results.status != "completed")
            if not told and len(jobs) == 1:
                farewell(job.results, job.folder)
        if unwritten:
            raise unwritten[0]
        handler = before[REQUEUE]
        if requeued and callable(handler):
            handler(REQUEUE, None)


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
    finally:
        for record, one in zip(results, accounts, strict=True):
            record.epochs = trainer.current_epoch
            record.stacked = len(jobs)
            record.seconds = round(timer.time_elapsed("train") / len(jobs), 3)
            record.seconds_per_epoch = round(record.seconds / max(1, record.epochs), 4)
            record.reason = str(one.failure) if one.failure else None
    if config.test == "best":
        for one, callbacks in zip(accounts, own, strict=True):
            keeper = next(c for c in callbacks if isinstance(c, ModelCheckpoint) and c.monitor)
            load(experiment, one, keeper.best_model_path)
    trainer.test(experiment, datamodule=data, verbose=False)
    for record, one in zip(results, accounts, strict=True):
        record.reason = str(one.failure) if one.failure else None
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
    stretches = [stretch for stretch, _ in runs([one.optimizer for one in accounts])]
    plugin = Unstacked(seats, stretches)
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


def remember(job: Job) -> None:
    """Record what a resumption was told, for the next one; Hydra leaves a resumed folder's record alone."""
    if getattr(rank_zero_only, "rank", 0) == 0:
        (job.folder / ".hydra").mkdir(exist_ok=True)
        OmegaConf.save(job.config, job.folder / ".hydra" / "config.yaml")
        OmegaConf.save(job.results.overrides, job.folder / OVERRIDES)


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
