"""Runs a script in a process that is forked from a server which has imported already what scripts of ours import.

A process that starts afresh imports for seconds before it does anything. The server is the one of `multiprocessing`.
"""

import atexit
import multiprocessing
import os
import runpy
import signal
import subprocess
import sys
import weakref
from collections.abc import Mapping, Sequence
from contextlib import suppress
from multiprocessing import forkserver, get_context, parent_process
from pathlib import Path

import vaesweep
from vaesweep.stop_signals import PARENT, stop_after

IMPORTS = ["vaesweep.studies.forkserver_preload"]
"""The modules that the server imports before it forks for the first time."""


def can_fork(command: Sequence[str], environment: Mapping[str, str]) -> bool:
    """Whether `command` is a script for this interpreter, and may be forked.

    On other systems libraries are not safe to be forked, and a GPU has to be chosen before torch is imported.
    """
    is_script = command[0] == sys.executable and command[1].endswith(".py")
    return is_script and sys.platform == "linux" and "CUDA_VISIBLE_DEVICES" not in environment


class ForkserverProcess:
    """A running script, with the part of `subprocess.Popen`'s interface that a pool needs.

    `command` is this interpreter, a script and its arguments. The process leads a session of its own; what it prints
    goes to the ends of the files `stdout` and `stderr`. What libraries read from the environment when they are
    imported is that of the first script, but for OMP_NUM_THREADS. Raises OSError.
    """

    def __init__(self, command: Sequence[str], environment: Mapping[str, str], stdout: Path, stderr: Path) -> None:
        start_server(environment)
        arguments = list(command[1:]), dict(environment), str(stdout), str(stderr)
        self.process = get_context("forkserver").Process(target=run_script, args=arguments)
        try:
            self.process.start()
        except EOFError:
            raise ChildProcessError("the server that jobs are forked from has ended") from None
        assert self.process.pid
        self.pid: int = self.process.pid

    def poll(self) -> int | None:
        """The exit code, negative for a signal; None while it runs."""
        return self.process.exitcode

    def terminate(self) -> None:
        """Send SIGTERM."""
        with suppress(ProcessLookupError):
            self.process.terminate()

    def wait(self, timeout: float | None = None) -> int:
        """The exit code, once it has ended. Raises `subprocess.TimeoutExpired`."""
        self.process.join(timeout)
        if self.process.exitcode is None:
            raise subprocess.TimeoutExpired(self.process.name, timeout or 0.0)
        return self.process.exitcode


def start_server(environment: Mapping[str, str]) -> None:
    """Start the server that this process has scripts forked from, unless it runs."""
    source = str(Path(vaesweep.__file__).parent.parent)
    path = os.pathsep.join(filter(None, [source, environment.get("PYTHONPATH")]))
    own = dict(os.environ)
    get_context("forkserver").set_forkserver_preload(IMPORTS)
    try:
        os.environ.clear()
        os.environ.update({**environment, "PYTHONPATH": path})
        forkserver.ensure_running()
    finally:
        os.environ.clear()
        os.environ.update(own)


def run_script(arguments: list[str], environment: dict[str, str], stdout: str, stderr: str) -> None:
    """Be the process of `python ARGUMENTS`; it stops when the one that started it ends."""
    os.setsid()
    signal.signal(signal.SIGTERM, signal.SIG_DFL)  # the server ignores it
    leave_exits_to_server()
    multiprocessing.set_start_method(None, force=True)  # that of a fresh process; the server's is another
    for stream, path in ((sys.stdout, stdout), (sys.stderr, stderr)):
        file = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o666)
        os.dup2(file, stream.fileno())
        os.close(file)
        stream.reconfigure(line_buffering=True)  # type: ignore[union-attr]
    os.environ.clear()
    os.environ.update(environment)
    if environment.get("OMP_NUM_THREADS", "").isdigit():
        import torch  # here, because it takes seconds; the server has imported it

        torch.set_num_threads(int(environment["OMP_NUM_THREADS"]))
    starter = parent_process()
    if os.environ.pop(PARENT, None) and starter:
        stop_after(starter.join)
    sys.argv = arguments
    folder = os.path.dirname(os.path.abspath(arguments[0]))
    if sys.path[0] != folder:
        sys.path.insert(0, folder)
    try:
        runpy.run_path(arguments[0], run_name="__main__")
    finally:
        atexit._run_exitfuncs()  # `multiprocessing` leaves them out


def leave_exits_to_server() -> None:
    """Undo in this process what the server has registered for its own end.

    It removes the temporary folders that W&B made when it was imported, and other jobs still use them.
    """
    atexit._clear()
    for finalizer in list(weakref.finalize._registry):  # type: ignore[attr-defined]
        finalizer.atexit = False
    # calls the finalizers that this process adds
    atexit.register(weakref.finalize._exitfunc)  # type: ignore[attr-defined]
