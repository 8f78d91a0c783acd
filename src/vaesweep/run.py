"""One run, from its configuration to its results.json; or several at a time."""

import os
import signal
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

from filelock import FileLock, Timeout
from hydra.core.hydra_config import HydraConfig
from hydra.types import RunMode
from lightning.pytorch.utilities import rank_zero_only
from omegaconf import DictConfig

from vaesweep import loggers
from vaesweep.checks import Diverged, Invalid, reason
from vaesweep.farewell import farewell
from vaesweep.results import Results
from vaesweep.signals import REQUEUE, SIGNALS, Interrupted, interrupt
from vaesweep.training import Job, execute

PATIENCE = 60
"""Seconds to wait for another process to leave the run's folder."""


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
    ending, why = "failed", None
    for job in jobs:
        job.results.status, job.results.reason = "failed", None
    before = {signum: signal.signal(signum, interrupt) for signum in SIGNALS}
    try:
        execute(jobs)
    except Interrupted as stop:
        ending, why = "interrupted", signal.Signals(stop.signum).name
        requeued = stop.signum == REQUEUE
        raise SystemExit(0 if others else 128 + stop.signum) from None
    except Exception as error:
        ours, why = isinstance(error, Invalid | Diverged), reason(error)
        told = ours and HydraConfig.get().mode != RunMode.MULTIRUN
        # what an earlier session left is worth more than the record of a resumption that never began
        refused = isinstance(error, Invalid) and bool(jobs[0].config.resume)
        if others and ours and HydraConfig.get().mode != RunMode.MULTIRUN:
            # all processes see it at once; one that failed would have the first killed before it can say why
            raise SystemExit(0) from None
        raise
    finally:
        mine = jobs if not others else ()
        for signum in SIGNALS:
            signal.signal(signum, signal.SIG_IGN)  # the records take no time, and W&B may take minutes
        unwritten = [] if refused else [failed for job in mine if (failed := recorded(job, ending, why))]
        for signum, handler in before.items():
            signal.signal(signum, handler)
        for job in mine:
            loggers.finish(job.folder, failed=job.results.status != "completed")
            if not told and len(jobs) == 1:
                farewell(job.results, job.folder)
        if unwritten:
            raise unwritten[0]
        handler = before[REQUEUE]
        if requeued and callable(handler):
            handler(REQUEUE, None)


def recorded(job: Job, ending: str, why: str | None) -> Exception | None:
    """Write the record of a job, which ended so where nothing else is known of it; returns why that failed."""
    results = job.results
    if results.status != "completed" and results.reason is None:
        results.status, results.reason = ending, why
    try:
        results.write(job.folder)
    except Exception as error:  # a full disk, a number that is none: the other records are to be written
        results.status, results.reason = "failed", reason(error)
        return error
    return None
