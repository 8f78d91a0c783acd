"""Requests to stop: from the user, from a scheduler, or because the parent process has ended."""

import os
import signal
import threading
import time
from collections.abc import Callable
from types import FrameType

REQUEUE = signal.SIGUSR2
"""The signal that submitit has SLURM send before the time limit; its handler requeues the job and exits."""
SIGNALS = (signal.SIGINT, signal.SIGTERM, REQUEUE)
PARENT = "VAESWEEP_PARENT"
"""Environment variable with a launcher's process id, set for the jobs it starts."""


class Interrupted(BaseException):
    """A request to stop by signal `signum`; a `BaseException`, so that `except Exception` does not catch it."""

    def __init__(self, signum: int) -> None:
        super().__init__(signum)
        self.signum = signum


def interrupt(signum: int, frame: FrameType | None) -> None:
    """A signal handler that stops at once, for use outside the training steps, where there is nothing to save."""
    raise Interrupted(signum)


def follow_parent() -> None:
    """Send SIGTERM to this process when the launcher that started it, if one did, has ended.

    A launcher that is killed cannot stop its jobs, and nothing else would stop them.
    """
    parent = os.environ.pop(PARENT, None)  # popped, because child processes must follow this process
    if parent is None:
        return

    def wait() -> None:
        while os.getppid() == int(parent):
            time.sleep(0.5)

    stop_after(wait)


def stop_after(wait: Callable[[], object]) -> None:
    """Send SIGTERM to this process when `wait()`, called in a thread, returns."""

    def watch() -> None:
        wait()
        os.kill(os.getpid(), signal.SIGTERM)

    threading.Thread(target=watch, daemon=True, name="parent").start()
