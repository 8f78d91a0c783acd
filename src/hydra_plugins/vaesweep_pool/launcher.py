"""`hydra/launcher=pool`: a process a job, several at a time, on devices of their own."""

import os
import re
import shlex
import signal
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from hydra.core.config_store import ConfigStore
from hydra.core.utils import JobReturn, configure_log, setup_globals
from hydra.errors import HydraException
from hydra.plugins.launcher import Launcher
from hydra.types import HydraContext, TaskFunction
from omegaconf import DictConfig, OmegaConf, open_dict
from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn
from rich.table import Column

from vaesweep.records.duration import duration
from vaesweep.stop_requests import SIGNALS, Interrupted, interrupt
from vaesweep.studies.pool import Command, Pool, slots
from vaesweep.studies.resume_arguments import config_flags
from vaesweep.studies.study_job import StudyJob
from vaesweep.value_rules import check_float, check_int

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
BAR_WIDTH, STATE_WIDTH = 12, 40
"""Columns of the terminal for the bar of a job, and for the text on its right."""


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
        self.console = Console(highlight=False, soft_wrap=True)

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
        error = HydraException(f"{failed} of {len(plans)} jobs failed; resume={folder} tries again")
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
        script = [sys.executable, str(Path(sys.argv[0]).absolute()), *config_flags(self.config.hydra, sys.argv[0])]
        of_hydra: Any = OmegaConf.to_container(self.config.hydra.overrides.hydra, resolve=False)
        for_all = [o for o in of_hydra if not o.startswith(LAUNCHER_ONLY)]
        todo = {
            Command([*script, *plan.arguments, *for_all], plan.folder): [plan] for plan in plans if not plan.completed
        }
        pool = Pool(self.slots(), self.timeout)
        self.say(heading(os.path.relpath(study), plans))
        with exit_when_told(study):
            run_with_progress(pool, todo, len(plans), self.console, todo.__getitem__)

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


def heading(study: str, plans: Sequence[StudyJob]) -> str:
    """The name of a study with the number of its jobs, and of those that were completed earlier."""
    earlier = sum(plan.completed for plan in plans)
    return f"{study}: {number_of_jobs(len(plans))}{f', {earlier} completed earlier' * (earlier > 0)}"


def number_of_jobs(number: int) -> str:
    return f"{number} job{'s' * (number != 1)}"


def and_more(plans: Sequence[StudyJob]) -> str:
    """What a command is called, beside its first job."""
    return f" and {len(plans) - 1} more" * (len(plans) > 1)


def run_with_progress(
    pool: Pool,
    todo: Mapping[Command, Sequence[StudyJob]],
    total: int,
    console: Console,
    jobs_ended: Callable[[Command], Sequence[StudyJob]],
) -> None:
    """Run commands of one or several jobs each, with a line for each job that ends, a bar a command, and one for all.

    `jobs_ended` gets each command that has ended and returns the jobs that ended with it; it may add commands for the
    others to `todo` and to the pool. Those of `total` jobs that are not in `todo` were completed earlier.
    """
    commands, ended, plans = list[Command](), list[StudyJob](), [plan for of_one in todo.values() for plan in of_one]
    earlier, start, jobs = total - len(plans), time.monotonic(), number_of_jobs(total)
    longest = max((len(and_more(of_one)) for of_one in todo.values()), default=0)
    names = labels(plans, max(12, console.width - BAR_WIDTH - STATE_WIDTH - 2 - longest))
    columns = (
        TextColumn("{task.description}", markup=False, table_column=Column(no_wrap=True, overflow="ellipsis")),
        BarColumn(bar_width=BAR_WIDTH),
        TextColumn("{task.fields[state]}", markup=False, table_column=Column(no_wrap=True)),
    )
    with closing(pool.run(list(todo))) as events, Progress(*columns, console=console, transient=True) as progress:
        overall = progress.add_task(jobs, total=total, state="")
        bars: dict[Command, TaskID] = {}
        for command in events:
            if command:
                commands.append(command)
                for plan in jobs_ended(command):
                    ended.append(plan)
                    line = plan.finish(command)
                    if not console.is_terminal and total > 1:  # where no bar says it
                        line = f"{earlier + len(ended)} of {total}: {line}"
                    console.print(line, markup=False, style="" if plan.completed else "bold")
                if command in bars:
                    progress.remove_task(bars.pop(command))
            states = {working.job: JobState.read(working.job) for working in pool.working}
            for running, state in states.items():
                if running not in bars:
                    name = names[todo[running][0].folder] + and_more(todo[running])
                    bars[running] = progress.add_task(name, total=1.0, state="")
                progress.update(bars[running], completed=state.share, state=state.text)
            failed = sum(not plan.completed for plan in ended)
            done = earlier + len(ended) + sum(state.share * len(todo[running]) for running, state in states.items())
            left = time_left(commands, list(states.values()), len(pool.waiting), len(pool.slots))
            parts = (f"{earlier + len(ended)} done", f"{failed} failed" if failed else "", left)
            progress.update(overall, completed=done, state=", ".join(filter(None, parts)))
    completed = earlier + sum(plan.completed for plan in ended)
    took = f" in {duration(time.monotonic() - start)}" if plans else ": nothing left to run"
    if total := earlier + len(ended):  # without those that no command ended
        console.print(f"{completed} of {number_of_jobs(total)} completed{took}", markup=False)


class JobState(NamedTuple):
    """How far a running job is, by the last line that it wrote: its share, and its seconds so far."""

    text: str
    share: float
    seconds: float

    @classmethod
    def read(cls, job: Command) -> "JobState":
        lines = (re.match(r"epoch (\d+)/(\d+)", line) for line in job.lines())
        line = next(filter(None, lines), None)
        if line is None:
            return cls("starting", 0.0, job.seconds)
        done, epochs = map(int, line.groups())
        return cls(line.string, min(1.0, done / epochs), job.seconds)


def labels(plans: Sequence[StudyJob], width: int) -> dict[Path, str]:
    """The settings in which each job differs from the others; its folder's name where that does not tell it apart.

    At most `width` characters: of a longer one the end, as the last setting varies fastest.
    """
    common = set.intersection(*(set(plan.overrides) for plan in plans)) if plans else set()
    settings = {
        plan.folder: " ".join(re.sub(r"^[+~\w./]*\.(?=\w+=)", "", o) for o in plan.overrides if o not in common)
        for plan in plans
    }
    are_names = all(settings.values()) and len(set(settings.values())) == len(settings)
    names = settings if are_names else {plan.folder: plan.folder.name for plan in plans}
    return {folder: name if len(name) <= width else f"…{name[1 - width :]}" for folder, name in names.items()}


def time_left(ended: Sequence[Command], running: Sequence[JobState], waiting: int, slots: int) -> str:
    """The rest of all jobs, each as long as those that ended took on average, or as those that run will take."""
    took = [job.seconds for job in ended] or [state.seconds / state.share for state in running if state.share]
    if not took:
        return "time left not known yet"
    mean = sum(took) / len(took)
    rests = [
        state.seconds * (1 / state.share - 1) if state.share else max(0.0, mean - state.seconds) for state in running
    ]
    left = max([(sum(rests) + waiting * mean) / max(1, min(slots, waiting + len(running))), *rests])
    return f"about {duration(left)} left"
