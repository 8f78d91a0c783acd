"""`hydra/launcher=stack`: jobs that differ in knobs and seeds alone are trained as one, in a process of its own."""

import os
import signal
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from hydra.core.config_store import ConfigStore
from hydra.core.hydra_config import HydraConfig
from omegaconf import OmegaConf, open_dict, read_write

from hydra_plugins.vaesweep_pool.launcher import PoolLauncher, exit_when_told
from vaesweep.errors import reason
from vaesweep.settings.check_arguments import check_float
from vaesweep.stacking.stack_script import TOO_LARGE, stack_command
from vaesweep.studies.pool import LOG, Command, Pool
from vaesweep.studies.pool_progress import heading, run_with_progress
from vaesweep.studies.study_job import StudyJob

if TYPE_CHECKING:
    from vaesweep.training.planned_run import PlannedRun

LOGS = ".stacks"
"""The folder in that of a study where each stack has one of its own, for what it prints."""


@dataclass
class StackConf:
    """Settings of the launcher, as `hydra.launcher.memory=8`."""

    _target_: str = "hydra_plugins.vaesweep_stack.launcher.StackLauncher"
    memory: float | None = None
    """GiB that a stack may take; null: most of what is free, of the GPU's where there is one."""
    n_jobs: int | None = None
    """Stacks at a time, and jobs that are in none; null: as the launcher `pool` has it."""
    timeout: float | None = None
    """Seconds after which a stack, or a job that is in none, is stopped and marked failed; null: never."""


ConfigStore.instance().store(group="hydra/launcher", name="stack", node=StackConf, provider="vaesweep")


class StackLauncher(PoolLauncher):
    """Trains each stack of jobs in a process of its own, several at a time; what is in none is left to the pool.

    There are as many stacks at a time as the pool has jobs, a stack a GPU where there are GPUs, and enough stacks for
    all of them.

    Every job leaves what it would leave alone, and can be resumed alone or in a stack. Where a stack fails for a reason
    that is not one member's own, such as an operation that cannot be stacked, its jobs go on alone. Where it is too
    large after all, or is killed, it goes on in two halves.

    It pays where one member leaves the device idle: on a GPU, and for small images on a CPU. Where one keeps the device
    busy the pool is the better choice. It gets convolutions on a CPU from here.
    """

    def __init__(self, memory: float | None, n_jobs: int | None, timeout: float | None) -> None:
        super().__init__(n_jobs, gpus_per_job=1, timeout=timeout)
        self.memory = None if memory is None else check_float("hydra.launcher.memory", memory, 0, strict=True)

    def work(self, study: Path, plans: Sequence[StudyJob]) -> None:
        from vaesweep.stacking.grouping import group_jobs
        from vaesweep.training import fast_lightning_import  # noqa: F401  here, as it imports torch, and Hydra every launcher at every start
        from vaesweep.training.planned_run import PlannedRun

        of = {plan.folder: plan for plan in plans}
        jobs, unmade = dict[StudyJob, PlannedRun](), dict[StudyJob, str]()
        for plan in (plan for plan in plans if not plan.completed):
            try:
                jobs[plan] = self.job(plan)
            except OSError as error:  # its folder cannot be made: the pool says so of this job alone
                unmade[plan] = reason(error)
        if not jobs:
            super().work(study, plans)
            return
        pool = Pool(self.slots(), self.timeout)
        groups = group_jobs(list(jobs.values()), self.memory, len(pool.slots))
        counts = [] if self.is_search else [heading(os.path.relpath(study), plans)]
        counts += [f"a stack of {len(stack)}" for stack in groups.stacks]
        not_stacked = [(of[job.folder], obstacle) for job, obstacle in groups.alone] + list(unmade.items())
        counts += [f"{len(not_stacked)} alone"] if not_stacked else []
        if counts:
            self.say("; ".join(counts))
        for line in groups.messages:
            self.say(line)
        for obstacle in dict.fromkeys(obstacle for _, obstacle in not_stacked):
            names = [plan.folder.name for plan, own in not_stacked if own == obstacle]
            self.say(f"alone: {names[0] if len(names) == 1 else f'{len(names)} jobs'}: {obstacle}")
        alone = [plan for plan, _ in not_stacked]
        if groups.stacks:
            alone += self.train(study, pool, groups.stacks, jobs, len(plans) - len(jobs) - len(unmade))
        if alone:
            self.run_pool(study, alone)

    def train(
        self,
        study: Path,
        pool: Pool,
        stacks: Sequence[Sequence["PlannedRun"]],
        jobs: Mapping[StudyJob, "PlannedRun"],
        earlier: int = 0,
    ) -> list[StudyJob]:
        """Train stacks of `jobs` by the pool; returns those jobs that are to be run alone after all.

        `earlier` jobs of the study were completed before.
        """
        from vaesweep.stacking.grouping import halves

        of = {job.folder: plan for plan, job in jobs.items()}
        todo, alone = dict[Command, list[StudyJob]](), list[StudyJob]()

        def add(stack: Sequence["PlannedRun"]) -> Command:
            folder = study / LOGS / stack[0].folder.name
            command = Command(stack_command(stack, folder), folder)
            todo[command] = [of[job.folder] for job in stack]
            return command

        def jobs_ended(command: Command) -> list[StudyJob]:
            stack = todo[command]
            if command.timed_out or command.code == 0 or command.code > 128:  # above it is a signal that it heeded
                return stack
            for plan in stack:
                plan.read_record()
            left, problem = [plan for plan in stack if not plan.completed], command.failure or command.last_line()
            for plan in left:
                jobs[plan.resume()].config.resume = True  # from where they got to together
            if len(left) > 1 and command.code in (TOO_LARGE, -signal.SIGKILL):
                parts = halves([jobs[plan] for plan in left])
                self.say(f"{len(left)} members do not fit ({problem}): {max(map(len, parts))} at a time")
                pool.waiting += map(add, parts)
            elif left:
                log = os.path.relpath(command.folder / LOG)
                self.say(
                    f"a stack of {len(stack)} cannot be trained ({problem}): {len(left)} jobs run alone (see {log})"
                )
                alone.extend(left)
            return [plan for plan in stack if plan not in left]

        for stack in stacks:
            add(stack)
        with exit_when_told(study):
            summary = run_with_progress(pool, todo, sum(map(len, stacks)) + earlier, self.console, jobs_ended)
        if summary and not self.is_search:
            self.say(summary)
        return alone

    def job(self, plan: StudyJob) -> "PlannedRun":
        """A job of the study with its configuration resolved, which several of one process could not be later on."""
        from vaesweep.training.planned_run import PlannedRun

        with read_write(plan.config.hydra.runtime), open_dict(plan.config.hydra.runtime):
            plan.config.hydra.runtime.output_dir = str(plan.folder)
        HydraConfig.instance().set_config(plan.config)
        own = OmegaConf.masked_copy(plan.config, [str(key) for key in plan.config if key != "hydra"])
        record = plan.folder / ".hydra"
        record.mkdir(parents=True, exist_ok=True)
        OmegaConf.save(own, record / "config.yaml")
        OmegaConf.save(OmegaConf.masked_copy(plan.config, "hydra"), record / "hydra.yaml")
        OmegaConf.save(plan.overrides, record / "overrides.yaml")
        OmegaConf.resolve(own)
        return PlannedRun(own, plan.folder, plan.results)
