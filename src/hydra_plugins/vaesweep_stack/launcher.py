"""`hydra/launcher=stack`: jobs that differ in knobs and seeds alone are trained as one, in this process."""

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
from hydra_plugins.vaesweep_pool.plan import Plan
from vaesweep.checks import Diverged, Invalid, real

if TYPE_CHECKING:
    from vaesweep.training import Job


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
    that is not one of its members', such as an operation that cannot be stacked, its jobs are run alone; where it is
    too large for the GPU after all, in two halves. Raises `Invalid` before anything is run.
    """

    def __init__(self, memory: float | None, n_jobs: int | None) -> None:
        super().__init__(n_jobs, gpus_per_job=1, timeout=None)
        self.memory = None if memory is None else real("hydra.launcher.memory", memory, 0, strict=True)
        self.console = Console(highlight=False, soft_wrap=True)

    def work(self, study: Path, plans: Sequence[Plan]) -> None:
        from vaesweep import sooner  # noqa: F401  here, as it imports torch, and Hydra every launcher at every start
        from vaesweep.grouping import grouped

        shown = os.path.relpath(study)
        of = {plan.folder: plan for plan in plans}
        jobs = {plan.folder: self.job(plan) for plan in plans if not plan.completed}
        found = grouped(list(jobs.values()), self.memory)
        sizes = [f"a stack of {len(stack)}" for stack in found.stacks] + [f"{len(found.alone)} alone"] * bool(
            found.alone
        )
        earlier = f"{len(plans)} jobs, {len(plans) - len(jobs)} completed earlier"
        self.say(f"{shown}: {'; '.join([earlier, *sizes])}")
        for line in found.said:
            self.say(line)
        for job, reason in found.alone:
            self.say(f"alone: {job.folder.name}: {reason}")
        alone = [of[job.folder] for job, _ in found.alone]
        try:
            for stack in found.stacks:
                alone += [of[job.folder] for job in self.train(stack)]
        except SystemExit:
            print(f"stopped; resume={shlex.quote(shown)} goes on", file=sys.stderr)
            raise
        if alone:
            super().work(study, alone)

    def train(self, stack: Sequence["Job"]) -> list["Job"]:
        """Train `stack` and say how each of its jobs ended; returns those that are to be run alone after all."""
        import torch

        from vaesweep.run import alone, attempt

        try:
            with alone(stack):
                attempt(stack)
        except torch.OutOfMemoryError as error:
            half = len(stack) // 2
            self.say(f"{len(stack)} members do not fit ({one_line(error)}): {half} at a time")
            torch.cuda.empty_cache()
            return [job for part in (stack[:half], stack[half:]) for job in (self.train(part) if half else part)]
        except (Invalid, Diverged):
            pass  # their records say so
        except Exception as error:
            self.say(f"a stack of {len(stack)} cannot be trained ({one_line(error)}): its jobs run alone")
            return list(stack)
        for job in stack:
            reason = f": {job.results.reason}" if job.results.reason else ""
            self.say(f"{job.results.status} {job.folder.name}{reason}")
        return []

    def job(self, plan: Plan) -> "Job":
        """A planned job with its configuration resolved, which several of one process could not be later on."""
        from vaesweep.training import Job

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
        return Job(own, plan.folder, plan.results)

    def say(self, line: str) -> None:
        self.console.print(line, markup=False)


def one_line(error: Exception) -> str:
    return f"{type(error).__name__}: {' '.join(str(error).split())[:200]}"
