"""One run, from its configuration to its results.json, however it ends."""

import os
from pathlib import Path

from hydra.core.hydra_config import HydraConfig
from hydra.types import RunMode
from omegaconf import DictConfig

from vaesweep.errors import ConfigError
from vaesweep.records.results import Results
from vaesweep.settings.instantiate import add_import_path
from vaesweep.training.load_checkpoint import CHECKPOINT
from vaesweep.training.planned_run import PlannedRun
from vaesweep.training.run_lock import lock_run_dirs
from vaesweep.training.run_recorder import RunRecorder, is_other_rank
from vaesweep.training.train_and_test import train_and_test

COMPLETED_HERE: set[Path] = set()
"""The folders of the runs that this process has completed: a job that a study lists twice is run once."""


def run(config: DictConfig) -> float | list[float]:
    """Train and test what `config` says, leave the record in its folder, return the metric `optimized_metric`.

    With `resume` a run that is completed already is not run again, and one that was interrupted goes on from its last
    checkpoint. Raises `ConfigError` when another process is at work in the folder, or when it would run over a
    finished job of an earlier study; and whatever `run_and_record` raises.
    """
    hydra = HydraConfig.get()
    add_import_path(hydra.runtime.cwd)
    job = PlannedRun(config, Path(config.folder), Results.from_config(config, hydra.overrides.task))
    if int(os.environ.get("SLURM_RESTART_COUNT", 0)) > 0:
        config.resume = True  # SLURM put the job back into the queue, and nobody is there to ask for it
    if is_other_rank():  # the first process holds the lock for all
        return run_unless_completed(job)
    with lock_run_dirs([job.folder]):
        return run_unless_completed(job)


def run_unless_completed(job: PlannedRun) -> float | list[float]:
    """What `run` says of earlier runs; every process of SLURM's asks, as none is started by the first."""
    earlier = Results.load_or_none(job.folder)
    if (
        earlier
        and earlier.status == "completed"
        and earlier.config_hash == job.results.config_hash
        and (job.config.resume or job.folder in COMPLETED_HERE)
    ):
        print(f"completed earlier: {os.path.relpath(job.folder)}")
        return earlier.optimized_metric(job.config)
    if earlier and not job.config.resume and HydraConfig.get().mode == RunMode.MULTIRUN:
        raise ConfigError("resume", f"false in the folder of an earlier job, {job.folder}", "true, or another folder")
    # one that was refused before it trained anything is no loss
    has_trained = earlier is not None and (earlier.epochs > 0 or (job.folder / CHECKPOINT).is_file())
    if earlier and has_trained and not job.config.resume and earlier.config_hash != job.results.config_hash:
        raise ConfigError("hydra.run.dir", f"{job.folder}, which holds another run", "a folder of its own")
    run_and_record(job)
    COMPLETED_HERE.add(job.folder)
    return job.results.optimized_metric(job.config)


def run_and_record(job: PlannedRun) -> None:
    """Train and test, and leave a record however that ends. Raises what `RunRecorder` says."""
    with RunRecorder([job]):
        train_and_test(job)
