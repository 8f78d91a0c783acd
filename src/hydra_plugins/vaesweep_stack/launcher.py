"""`hydra/launcher=stack`: jobs that differ in knobs and seeds alone are trained as one, in this process."""

import gc
import os
import shlex
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from hydra.core.config_store import ConfigStore
from hydra.core.hydra_config import HydraConfig
from omegaconf import OmegaConf, open_dict, read_write
from rich.console import Console

from hydra_plugins.vaesweep_pool.launcher import PoolLauncher
from vaesweep.errors import DivergenceError, reason
from vaesweep.studies.study_job import StudyJob
from vaesweep.value_rules import check_float

if TYPE_CHECKING:
    from vaesweep.training.job import RunJob


@dataclass
class StackConf:
    """Settings of the launcher, as `hydra.launcher.memory=8`."""

    _target_: str = "hydra_plugins.vaesweep_stack.launcher.StackLauncher"
    memory: float | None = None
    """GiB that a stack may take; null: most of what is free, of the GPU's where there is one."""
    n_jobs: int | None = None
    """Jobs at a time, of those that are in no stack; null: as the launcher `pool` has it."""


ConfigStore.instance().store(group="hydra/launcher", name="stack", node=StackConf, provider="vaesweep")


class StackLauncher(PoolLauncher):
    """Trains each stack of jobs on one device, the stacks one after the other; what is in none is left to the pool.

    Every job leaves what it would leave alone, and can be resumed alone or in a stack. Where a stack fails for a reason
    that is not one member's own, such as an operation that cannot be stacked, its jobs go on alone; where it is too
    large for the GPU after all, in two halves.

    It pays where one member leaves the device idle: on a GPU, and for small images on a CPU. Where one keeps the device
    busy, or where there are several GPUs, the pool is the better choice. It gets convolutions on a CPU from here.
    """

    def __init__(self, memory: float | None, n_jobs: int | None) -> None:
        super().__init__(n_jobs, gpus_per_job=1, timeout=None)
        self.memory = None if memory is None else check_float("hydra.launcher.memory", memory, 0, strict=True)
        self.console = Console(highlight=False, soft_wrap=True)

    def work(self, study: Path, plans: Sequence[StudyJob]) -> None:
        from vaesweep import fast_lightning_import  # noqa: F401  here, as it imports torch, and Hydra every launcher at every start
        from vaesweep.stacking.grouping import group_jobs

        folder = os.path.relpath(study)
        of = {plan.folder: plan for plan in plans}
        jobs = {plan.folder: self.job(plan) for plan in plans if not plan.completed}
        groups = group_jobs(list(jobs.values()), self.memory)
        earlier = len(plans) - len(jobs)
        counts = [f"{len(plans)} jobs{f', {earlier} completed earlier' * (earlier > 0)}"]
        counts += [f"a stack of {len(stack)}" for stack in groups.stacks]
        counts += [f"{len(groups.alone)} alone"] if groups.alone else []
        self.say(f"{folder}: {'; '.join(counts)}")
        for line in groups.messages:
            self.say(line)
        for obstacle in dict.fromkeys(obstacle for _, obstacle in groups.alone):
            names = [job.folder.name for job, own in groups.alone if own == obstacle]
            self.say(f"alone: {names[0] if len(names) == 1 else f'{len(names)} jobs'}: {obstacle}")
        alone = [of[job.folder] for job, _ in groups.alone]
        try:
            for stack in groups.stacks:
                alone += [of[job.folder].resume() for job in self.train(stack)]
        except SystemExit:
            print(f"stopped; resume={shlex.quote(folder)} goes on", file=sys.stderr)
            raise
        if alone:
            super().work(study, alone)

    def train(self, stack: Sequence["RunJob"]) -> list["RunJob"]:
        """Train `stack` and say how each of its jobs ended; returns those that are to be run alone after all."""
        import torch

        from vaesweep.stacking.train_and_test import run_stack

        problem, too_large = "", False
        try:
            run_stack(stack)
        except Exception as error:
            if not isinstance(error, DivergenceError):  # all of them, as their records say
                problem, too_large = reason(error), isinstance(error, torch.OutOfMemoryError)
        # not within the handler: the error holds on to all that was on the device
        gc.collect()
        if torch.cuda.is_available():
            torch.cuda.empty_cache()
        left = [job for job in stack if problem and job.results.status != "completed"]
        if too_large and len(left) > 1:
            half = (len(left) + 1) // 2
            self.say(f"{len(left)} members do not fit ({problem}): {half} at a time")
            for job in left:
                job.config.resume = True  # from where they got to together
            return self.train(left[:half]) + self.train(left[half:])
        if left:
            self.say(f"a stack of {len(stack)} cannot be trained ({problem}): {len(left)} jobs run alone")
        for job in stack:
            why = f": {job.results.reason}" if job.results.reason else ""
            if job not in left:
                self.say(f"{job.results.status} {job.folder.name}{why}")
        return left

    def job(self, plan: StudyJob) -> "RunJob":
        """A job of the study with its configuration resolved, which several of one process could not be later on."""
        from vaesweep.training.job import RunJob

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
        return RunJob(own, plan.folder, plan.results)

    def say(self, line: str) -> None:
        self.console.print(line, markup=False)
