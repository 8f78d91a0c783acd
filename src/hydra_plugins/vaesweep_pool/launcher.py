"""`hydra/launcher=pool`: a fresh process a job, several at a time, on devices of their own."""

import math
import os
import shlex
import signal
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

from hydra.core.config_store import ConfigStore
from hydra.core.utils import JobReturn, configure_log, setup_globals
from hydra.errors import HydraException
from hydra.plugins.launcher import Launcher
from hydra.types import HydraContext, TaskFunction
from omegaconf import DictConfig, OmegaConf, open_dict
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

from vaesweep.checks import check_float, check_int
from vaesweep.signals import SIGNALS, Interrupted, interrupt
from vaesweep.studies.planned_job import PlannedJob
from vaesweep.studies.pool import Command, Pool, slots
from vaesweep.studies.resume_arguments import config_flags

LAUNCHER_ONLY = (
    "hydra.mode=",
    "hydra.run.",
    "hydra.sweep.",
    "hydra.sweeper.",
    "hydra.launcher.",
    "hydra/launcher=",
    "hydra/sweeper=",
)
"""Overrides of Hydra's that are for this process, and not for the jobs."""


@dataclass
class PoolConf:
    """Settings of the launcher, as `hydra.launcher.n_jobs=4`."""

    _target_: str = "hydra_plugins.vaesweep_pool.launcher.PoolLauncher"
    n_jobs: int | None = None
    """Jobs at a time; null: one a GPU, or without GPUs one a CPU core and at most 4."""
    gpus_per_job: int = 1
    """GPUs that a job sees, for trainer=ddp in it."""
    timeout: float | None = None
    """Seconds after which a job is stopped and marked failed; null: never."""


ConfigStore.instance().store(group="hydra/launcher", name="pool", node=PoolConf, provider="vaesweep")


class PoolLauncher(Launcher):
    """Runs `python SCRIPT OVERRIDES hydra.run.dir=FOLDER` for each job: just what a person would type for it.

    With `resume=true` jobs that are completed are left alone. A job that ends without having said how gets a
    results.json that does. Raises `ConfigError` before anything is run.
    """

    def __init__(self, n_jobs: int | None, gpus_per_job: int, timeout: float | None) -> None:
        self.n_jobs = None if n_jobs is None else check_int("hydra.launcher.n_jobs", n_jobs)
        self.gpus_per_job = check_int("hydra.launcher.gpus_per_job", gpus_per_job)
        self.timeout = None if timeout is None else check_float("hydra.launcher.timeout", timeout, 0, strict=True)

    def setup(self, *, hydra_context: HydraContext, task_function: TaskFunction, config: DictConfig) -> None:
        self.context, self.config = hydra_context, config

    def launch(self, job_overrides: Sequence[Sequence[str]], initial_job_idx: int) -> Sequence[JobReturn]:
        setup_globals()
        configure_log(self.config.hydra.hydra_logging, self.config.hydra.verbose)
        study = Path(self.config.hydra.sweep.dir).absolute()
        plans: dict[Path, PlannedJob] = {}
        folders = []
        for number, overrides in enumerate(job_overrides, initial_job_idx):
            plan = PlannedJob(self.compose(overrides, number), study)
            folders.append(plan.folder)
            plans.setdefault(plan.folder, plan)  # the same job twice is run once
        self.work(study, list(plans.values()))
        folder = shlex.quote(os.path.relpath(study))
        failed = sum(not plan.completed for plan in plans.values())
        error = HydraException(f"{failed} of {len(plans)} jobs failed; resume={folder} tries again")
        return [plans[folder].job_return(error) for folder in folders]

    def compose(self, overrides: Sequence[str], number: int) -> DictConfig:
        """The configuration of a job, as Hydra composes it in a sweep."""
        config = self.context.config_loader.load_sweep_config(self.config, list(overrides))
        with open_dict(config):
            config.hydra.job.id, config.hydra.job.num = str(number), number
        return config

    def work(self, study: Path, plans: Sequence[PlannedJob]) -> None:
        """Run what there is to run, with a line that says how far the study is. Raises SystemExit when told to stop."""
        script = [sys.executable, str(Path(sys.argv[0]).absolute()), *config_flags(self.config.hydra, sys.argv[0])]
        of_hydra: Any = OmegaConf.to_container(self.config.hydra.overrides.hydra, resolve=False)
        for_all = [o for o in of_hydra if not o.startswith(LAUNCHER_ONLY)]
        todo = {
            Command([*script, *plan.arguments, *for_all], plan.folder): plan for plan in plans if not plan.completed
        }
        pool = Pool(slots(self.n_jobs, self.gpus_per_job), self.timeout)
        before = {signum: signal.signal(signum, interrupt) for signum in SIGNALS}
        try:
            run_with_progress(pool, todo, len(plans), os.path.relpath(study))
        except Interrupted as stop:
            print(f"stopped; resume={shlex.quote(os.path.relpath(study))} goes on", file=sys.stderr)
            raise SystemExit(128 + stop.signum) from None
        finally:
            for signum, handler in before.items():
                signal.signal(signum, handler)


def run_with_progress(pool: Pool, todo: dict[Command, PlannedJob], total: int, study: str) -> None:
    """Run the jobs, with a line for each that ends, and a bar."""
    console, ended = Console(highlight=False, soft_wrap=True), []
    earlier = total - len(todo)
    console.print(f"{study}: {total} jobs, {earlier} completed earlier", markup=False)
    columns = BarColumn(), MofNCompleteColumn(), TextColumn("{task.fields[state]}")
    with Progress(*columns, console=console) as progress:
        bar = progress.add_task("", total=total, completed=earlier, state="")
        for job in pool.run(list(todo)):
            if job:
                ended.append(job)
                line = todo[job].finish(job)
                console.print(line, markup=False, style="" if todo[job].completed else "bold")
            failed = sum(not todo[job].completed for job in ended)
            left = time_left(ended, len(todo) - len(ended), len(pool.slots))
            state = f"{len(pool.working)} running{epochs(pool)}, {failed} failed, {left}"
            progress.update(bar, completed=earlier + len(ended), state=state)


def epochs(pool: Pool) -> str:
    """Where the running jobs are, by the last lines that they wrote."""
    lines = [working.job.last_line() for working in pool.working]
    states = [
        line.partition("  ")[0].removeprefix("epoch ") if line.startswith("epoch") else "starting" for line in lines
    ]
    return f" ({', '.join(states)})" if states else ""


def time_left(ended: Sequence[Command], left: int, slots: int) -> str:
    """As long as the jobs so far took on average, for each that is left in a slot."""
    if not ended:
        return "time left not known yet"
    seconds = sum(job.seconds for job in ended) / len(ended) * math.ceil(left / slots)
    return f"about {timedelta(seconds=round(seconds))} left"
