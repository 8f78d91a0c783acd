"""Being told to stop: by a person, by a scheduler, or by the end of the process that one works for."""

import os
import signal
import threading
import time
from types import FrameType

REQUEUE = signal.SIGUSR2
"""What submitit has SLURM send before the time is up; its handler puts the job back into the queue and exits."""
SIGNALS = (signal.SIGINT, signal.SIGTERM, REQUEUE)
PARENT = "VAESWEEP_PARENT"
"""Set to the process id of a launcher for the jobs it starts."""


class Interrupted(BaseException):
    """The run was asked to stop by signal `signum`; no error of its own, so it passes by `except Exception`."""

    def __init__(self, signum: int) -> None:
        super().__init__(signum)
        self.signum = signum


def interrupt(signum: int, frame: FrameType | None) -> None:
    """A signal handler that stops at once: right outside the training steps, where there is nothing to save."""
    raise Interrupted(signum)


def follow_parent() -> None:
    """Send SIGTERM to this process when the launcher that started it, if one did, is no more.

    A launcher that is killed cannot stop its jobs, and nobody would look after them.
    """
    parent = os.environ.pop(PARENT, None)  # popped, because what this process starts follows this process
    if parent is None:
        return

    def watch() -> None:
        while os.getppid() == int(parent):
            time.sleep(0.5)
        os.kill(os.getpid(), signal.SIGTERM)

    threading.Thread(target=watch, daemon=True, name="parent").start()
