"""`hydra/launcher=pool`: a process a job, several at a time, on devices of their own."""

import os
import shlex
import signal
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hydra.core.config_store import ConfigStore
from hydra.core.utils import JobReturn, configure_log, setup_globals
from hydra.errors import HydraException
from hydra.plugins.launcher import Launcher
from hydra.types import HydraContext, TaskFunction
from omegaconf import DictConfig, OmegaConf, open_dict
from rich.console import Console

from vaesweep.settings.check_arguments import check_float, check_int
from vaesweep.stop_signals import SIGNALS, Interrupted, interrupt
from vaesweep.studies.hydra_command_line import config_flags
from vaesweep.studies.pool import Command, Pool, slots
from vaesweep.studies.pool_progress import heading, run_with_progress
from vaesweep.studies.study_job import StudyJob

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
        self.console = Console(highlight=False, emoji=False, soft_wrap=True)

    def setup(self, *, hydra_context: HydraContext, task_function: TaskFunction, config: DictConfig) -> None:
        self.context, self.config = hydra_context, config

    def launch(self, job_overrides: Sequence[Sequence[str]], initial_job_idx: int) -> Sequence[JobReturn]:
        setup_globals()
        configure_log(self.config.hydra.hydra_logging, self.config.hydra.verbose)
        study = Path(self.config.hydra.sweep.dir).absolute()
        plans: dict[Path, StudyJob] = {}
        folders = []
        for number, overrides in enumerate(job_overrides, initial_job_idx):
            plan = StudyJob(self.compose(overrides, number), study)
            folders.append(plan.folder)
            plans.setdefault(plan.folder, plan)  # the same job twice is run once
        self.work(study, list(plans.values()))
        folder = shlex.quote(os.path.relpath(study))
        failed = sum(not plan.completed for plan in plans.values())
        again = "" if self.is_search else f"; resume={folder} tries again"
        error = HydraException(f"{failed} of {len(plans)} jobs failed{again}")
        return [plans[folder].job_return(error) for folder in folders]

    def compose(self, overrides: Sequence[str], number: int) -> DictConfig:
        """The configuration of a job, as Hydra composes it in a sweep."""
        config = self.context.config_loader.load_sweep_config(self.config, list(overrides))
        with open_dict(config):
            config.hydra.job.id, config.hydra.job.num = str(number), number
        return config

    def slots(self) -> list[dict[str, str]]:
        """The environment of each job that runs at a time."""
        return slots(self.n_jobs, self.gpus_per_job)

    def work(self, study: Path, plans: Sequence[StudyJob]) -> None:
        """Run what there is to run. Raises SystemExit when told to stop."""
        if not self.is_search:
            self.say(heading(os.path.relpath(study), plans))
        self.run_pool(study, plans)

    def run_pool(self, study: Path, plans: Sequence[StudyJob]) -> None:
        """Run those of `plans` that are not completed."""
        script = [sys.executable, str(Path(sys.argv[0]).absolute()), *config_flags(self.config.hydra, sys.argv[0])]
        of_hydra: Any = OmegaConf.to_container(self.config.hydra.overrides.hydra, resolve=False)
        for_all = [o for o in of_hydra if not o.startswith(LAUNCHER_ONLY)]
        todo = {
            Command([*script, *plan.arguments, *for_all], plan.folder): [plan] for plan in plans if not plan.completed
        }
        pool = Pool(self.slots(), self.timeout)
        with exit_when_told(study):
            summary = run_with_progress(pool, todo, len(plans), self.console, todo.__getitem__)
        if summary and not self.is_search:
            self.say(summary)

    @property
    def is_search(self) -> bool:
        """Whether the sweeper hands the jobs of the study over in parts, and counts them itself."""
        return "n_trials" in self.config.hydra.sweeper

    def say(self, line: str) -> None:
        self.console.print(line, markup=False)


@contextmanager
def exit_when_told(study: Path) -> Iterator[None]:
    """Context that a signal leaves as SystemExit with 128 + its number, after a line that says how to go on."""
    before = {signum: signal.signal(signum, interrupt) for signum in SIGNALS}
    try:
        yield
    except Interrupted as stop:
        print(f"stopped; resume={shlex.quote(os.path.relpath(study))} goes on", file=sys.stderr)
        raise SystemExit(128 + stop.signum) from None
    finally:
        for signum, handler in before.items():
            signal.signal(signum, handler)
