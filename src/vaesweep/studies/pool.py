"""Runs many commands at a time, each in a process of its own: if one fails, the others go on."""

import os
import signal
import subprocess
import time
from collections.abc import Generator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from vaesweep.settings.cpu_processes import cores, default_processes
from vaesweep.stop_signals import PARENT
from vaesweep.studies.forkserver_process import ForkserverProcess, can_fork

LOG = "console.log"
GRACE_SECONDS = 30.0
"""Seconds from the request to stop to the kill: for a step, and a checkpoint."""
POLL_SECONDS = 0.1


@dataclass(eq=False)
class Command:
    """A job as a command, or several as one, with its folder. `failure` is the reason if it did not end by itself."""

    command: Sequence[str]
    folder: Path
    failure: str | None = None
    timed_out: bool = False
    code: int = 0
    log_offset: int = 0
    """Offset in its log where this attempt starts."""
    start_time: float = 0.0
    seconds: float = 0.0

    def lines(self) -> list[str]:
        """The lines of its log in this attempt that are not empty, the last one first."""
        log = self.folder / LOG
        lines = log.read_bytes()[self.log_offset :].decode(errors="replace").split("\n") if log.is_file() else []
        return [line.strip() for line in reversed(lines) if line.strip()]

    def last_line(self) -> str:
        """The last line of its log: of a traceback, the error."""
        return next(iter(self.lines()), "").removeprefix("error: ") or f"exit code {self.code}"


@dataclass(eq=False)
class RunningCommand:
    """A running job and its slot."""

    job: Command
    slot: int
    process: subprocess.Popen[bytes] | ForkserverProcess
    stop_time: float | None = None
    """Time of the request to stop, if it ran too long."""


class Pool:
    """Runs jobs in slots, each an environment such as the devices a job may see; stops a job after `timeout` seconds.

    The output of a job goes to LOG in its folder. A job leads a process group of its own, so that Ctrl-C reaches it
    through this process alone, and so that its child processes end with it.
    """

    def __init__(self, slots: Sequence[Mapping[str, str]], timeout: float | None = None) -> None:
        self.slots, self.timeout = slots, timeout
        self.waiting: list[Command] = []
        self.working: list[RunningCommand] = []

    def run(self, jobs: Sequence[Command]) -> Generator[Command | None]:
        """Yield each job when it has ended, and None in between to give the caller control. Closing stops all.

        The caller may add jobs to `waiting`.
        """
        self.waiting, free = list(jobs), list(range(len(self.slots)))
        try:
            while self.waiting or self.working:
                while self.waiting and free:
                    job = self.waiting.pop(0)
                    try:
                        self.start(job, free[0])
                        free.pop(0)
                    except OSError as error:  # a full disk, a file in place of the folder
                        job.failure = f"could not be started: {error}"
                        yield job
                ended = [w for w in self.working if self.has_ended(w)]
                for w in ended:
                    self.working.remove(w)
                    free.append(w.slot)
                    yield w.job
                if not ended:
                    yield None
                    time.sleep(POLL_SECONDS)
        finally:
            self.stop()

    def start(self, job: Command, slot: int) -> None:
        job.folder.mkdir(parents=True, exist_ok=True)
        environment = os.environ | self.slots[slot] | {"PYTHONUNBUFFERED": "1", PARENT: str(os.getpid())}
        job.start_time = time.time()
        with (job.folder / LOG).open("ab") as log:
            job.log_offset = log.tell()
            self.working.append(RunningCommand(job, slot, start_process(job.command, environment, log)))

    def has_ended(self, working: RunningCommand) -> bool:
        """Whether a job has ended; one that takes too long is terminated, and then killed."""
        job, now = working.job, time.time()
        job.seconds = now - job.start_time
        code = working.process.poll()
        if code is None:
            if working.stop_time is not None and now > working.stop_time + GRACE_SECONDS:
                self.kill(working)
            elif working.stop_time is None and self.timeout is not None and job.seconds > self.timeout:
                working.process.terminate()
                working.stop_time = now
            return False
        if working.stop_time is not None:
            job.failure, job.timed_out = f"timeout: ran longer than {self.timeout:g} s", True
        elif code < 0:
            name = signal.Signals(-code).name
            job.failure = f"killed by {name}" + " (out of memory?)" * (name == "SIGKILL")
        job.code = code
        if code:
            self.kill(working)
        return True

    def kill(self, working: RunningCommand) -> None:
        """Kill the job and its child processes: other ranks of a data-parallel job would wait for ever."""
        with suppress(ProcessLookupError):
            os.killpg(working.process.pid, signal.SIGKILL)

    def stop(self) -> None:
        """Ask every job to save and exit; kill those that do not in time."""
        for working in self.working:
            working.process.terminate()
        deadline = time.time() + GRACE_SECONDS
        for working in self.working:
            with suppress(subprocess.TimeoutExpired):
                working.process.wait(max(0.0, deadline - time.time()))
            self.kill(working)
            working.process.wait()
        self.working.clear()


def start_process(
    command: Sequence[str], environment: Mapping[str, str], log: BinaryIO
) -> subprocess.Popen[bytes] | ForkserverProcess:
    """Start a command whose output goes to `log`: as a fork where that can be, or afresh. Raises OSError."""
    if can_fork(command, environment):
        # there may be no server, where the path of its socket is too long for example
        with suppress(OSError):
            return ForkserverProcess(command, environment, Path(log.name), Path(log.name))
    return subprocess.Popen(
        command,
        stdin=subprocess.DEVNULL,
        stdout=log,
        stderr=subprocess.STDOUT,
        env=environment,
        start_new_session=True,
    )


def slots(n_jobs: int | None, gpus_per_job: int) -> list[dict[str, str]]:
    """The environment of each slot: its GPUs, and its share of the CPU's cores.

    Without `n_jobs`, as many as the GPUs allow; without GPUs as `default_processes` says. More jobs than GPUs
    share them in turn. Only GPUs that this process sees are used.
    """
    import torch  # here, because it takes seconds and Hydra imports every launcher at every start

    named = os.environ.get("CUDA_VISIBLE_DEVICES")
    seen = [str(i) for i in range(torch.cuda.device_count())] if named is None else named.split(",")
    gpus = [gpu for gpu in seen if gpu not in ("", "-1")]
    count = n_jobs or (max(1, len(gpus) // gpus_per_job) if gpus else default_processes())
    threads = {"OMP_NUM_THREADS": str(max(1, cores() // count))}
    if not gpus:
        return [threads] * count
    turns = [[gpus[(slot * gpus_per_job + k) % len(gpus)] for k in range(gpus_per_job)] for slot in range(count)]
    return [threads | {"CUDA_VISIBLE_DEVICES": ",".join(dict.fromkeys(turn))} for turn in turns]
