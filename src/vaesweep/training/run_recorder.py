"""The record of runs, however they end."""

import errno
import signal
from collections.abc import Sequence
from types import TracebackType

from hydra.core.hydra_config import HydraConfig
from hydra.types import RunMode
from lightning.pytorch.utilities import rank_zero_only

from vaesweep.errors import ConfigError, DivergenceError, reason, system_message
from vaesweep.records import wandb_lifecycle
from vaesweep.records.print_run_summary import print_line, print_summary
from vaesweep.records.results import Results
from vaesweep.stop_signals import REQUEUE, SIGNALS, Interrupted, interrupt
from vaesweep.training.planned_run import PlannedRun
from vaesweep.vanished_folders import is_gone

NO_ROOM = (errno.ENOSPC, errno.EDQUOT)
"""Error numbers of a disk that is full, or of the user's share of one."""


class RunRecorder:
    """Context in which jobs are trained: however it ends, each job's results.json says so and its W&B run is closed.

    An error passes on when it is recorded; a signal leaves as SystemExit with 128 + its number. After REQUEUE whatever
    handled that signal before gets it in the end, submitit for example. `summary` prints how the jobs ended.
    """

    def __init__(self, jobs: Sequence[PlannedRun], summary: bool = True) -> None:
        self.jobs = [] if is_other_rank() else jobs  # the first process speaks for all
        self.summary = summary
        self.alone = HydraConfig.get().mode != RunMode.MULTIRUN

    def __enter__(self) -> "RunRecorder":
        for job in self.jobs:
            job.results.status, job.results.reason = "failed", None
        self.handlers = {signum: signal.signal(signum, interrupt) for signum in SIGNALS}
        return self

    def __exit__(self, kind: type | None, error: BaseException | None, traceback: TracebackType | None) -> None:
        status, reason_given = status_of(error)
        for signum in SIGNALS:
            signal.signal(signum, signal.SIG_IGN)  # the records take no time, and W&B may take minutes
        begun = [job for job in self.jobs if not never_resumed(job)]
        unwritten = [bad for job in begun if (bad := write_record(job, status, reason_given))]
        for signum, handler in self.handlers.items():
            signal.signal(signum, handler)
        problem = self.storage_error(unwritten[0] if unwritten else error)
        known = isinstance(problem, ConfigError | DivergenceError)
        for job in self.jobs:
            wandb_lifecycle.finish(job.folder, failed=job.results.status != "completed")
            if self.summary and not self.alone:
                print_line(job.results, job.folder)
            elif self.summary and not known:  # the command line says such an error in a line of its own
                print_summary(job.results, job.folder)
        if problem is not None and problem is not error:
            raise problem from error
        if isinstance(error, Interrupted):
            handler = self.handlers[REQUEUE]
            if error.signum == REQUEUE and callable(handler):
                handler(REQUEUE, None)
            raise SystemExit(128 + error.signum if self.jobs else 0) from None
        if known and self.alone and not self.jobs:
            # all processes see it at once; one that failed would have the first killed before it can say why
            raise SystemExit(0) from None

    def storage_error(self, error: BaseException | None) -> BaseException | None:
        """`error`, or what the user is to know of it: that a run's folder is gone, or that there is no room in it."""
        for folder in (job.folder for job in self.jobs):
            if is_gone(folder):
                given = f"{folder}, which was deleted or moved during the run"
                return ConfigError("folder", given, "a folder that stays where it is until the run has ended")
            if isinstance(error, OSError) and error.errno in NO_ROOM:
                given = f"{folder} on a full disk ({system_message(error)})"
                return ConfigError("folder", given, "a disk with room; then resume=FOLDER goes on")
        return error


def status_of(error: BaseException | None) -> tuple[str, str | None]:
    """Status and reason of a run that ended by `error`."""
    if isinstance(error, Interrupted):
        return "interrupted", signal.Signals(error.signum).name
    return "failed", reason(error) if isinstance(error, Exception) else None


def never_resumed(job: PlannedRun) -> bool:
    """Whether a resumption ended before it began: what an earlier session left is worth more than its record."""
    went_on = job.has_begun or job.results.status == "completed" or not job.config.resume
    return not went_on and Results.load_or_none(job.folder) is not None


def is_other_rank() -> bool:
    """Whether this is one of several processes of a run, and not the first."""
    return getattr(rank_zero_only, "rank", 0) > 0


def write_record(job: PlannedRun, status: str, reason_given: str | None) -> Exception | None:
    """Write the record of a job, which ended so where nothing else is known of it; returns why that failed."""
    results = job.results
    if results.status != "completed" and results.reason is None:
        results.status, results.reason = status, reason_given
    try:
        results.write(job.folder)
        if numbers := results.not_finite():
            listed = ", ".join(f"{name}={value}" for name, value in numbers.items())
            print(f"not finite, and kept as text in results.json: {listed}")
    except Exception as error:  # a full disk: the other records are to be written
        results.status, results.reason = "failed", reason(error)
        return error
    return None
