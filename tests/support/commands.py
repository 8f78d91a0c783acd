"""The command line in processes of its own, and what it leaves."""

import contextlib
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pytest
import torch

from support.paths import ROOT
from vaesweep.studies.forkserver_process import IMPORTS, ForkserverProcess, can_fork

PATIENCE = 600
"""Seconds after which a command is taken to hang: many times what one takes on a slow machine with other work."""
QUICK = ["data=digits", "callbacks=no_figures", "logger=none", "trainer.max_epochs=2", "trainer=cpu"]
# tests start every script of ours, and not jobs alone: evaluate.py would import for three seconds more, each time
IMPORTS += ["vaesweep.evaluation.evaluate_command", "vaesweep.report.report", "sklearn.linear_model", "vl_convert"]


def command(*arguments):
    return [sys.executable, str(ROOT / "src" / "train.py"), *arguments]


def run_script(folder, script, *arguments, **environment):
    """Run a script of ours in `folder`, with W&B unconfigured and home elsewhere."""
    clean = {k: v for k, v in os.environ.items() if not k.startswith(("WANDB", "PYTEST", "HYDRA"))}
    env = clean | {"HOME": str(folder), "OMP_NUM_THREADS": "1"} | environment
    return run_command([sys.executable, str(ROOT / "src" / script), *arguments], folder, env)


def run_command(line, folder, env):
    """Run a command in `folder` until it ends."""
    with start_command(line, folder, env) as process:
        stdout, stderr = process.communicate(timeout=PATIENCE)
    return subprocess.CompletedProcess(line, process.returncode, stdout, stderr)


def start_command(line, folder, env):
    """Start a command in `folder`; a script as the pool starts it, without the seconds that a fresh process imports."""
    if can_fork(line, env) and env.get("PYTHONPATH") == os.environ.get("PYTHONPATH"):  # read when Python starts
        return StartedScript(line, folder, env)
    return subprocess.Popen(line, cwd=folder, env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


class StartedScript(ForkserverProcess):
    """A script that is forked, with the part of `subprocess.Popen`'s interface that tests use."""

    def __init__(self, line, folder, env):
        if any(argument == "-m" or argument.startswith("resume=") for argument in line[2:]):  # it may fork jobs itself
            line = [line[0], str(Path(__file__).with_name("preloaded_script.py")), *line[1:]]
        self.outputs = tempfile.TemporaryDirectory()
        files = [Path(self.outputs.name, name) for name in ("stdout", "stderr")]
        with contextlib.chdir(folder):
            super().__init__(line, env, *files)

    def __enter__(self):
        return self

    def __exit__(self, *error):
        self.wait(PATIENCE)
        self.outputs.cleanup()

    @property
    def returncode(self):
        return self.poll()

    def send_signal(self, signum):
        if self.poll() is None:
            os.kill(self.pid, signum)

    def communicate(self, timeout=None):
        self.wait(timeout)
        return tuple(Path(self.outputs.name, name).read_text() for name in ("stdout", "stderr"))


def train(folder, *arguments, **environment):
    """Run the command in `folder`."""
    return run_script(folder, "train.py", *arguments, **environment)


def record(folder):
    return json.loads((Path(folder) / "results.json").read_text())


def weights(folder):
    return torch.load(Path(folder) / "checkpoints" / "last.ckpt", weights_only=True)


def only(folder):
    (study,) = (folder / "runs").iterdir()
    return study


def statuses(study):
    """How the jobs ended, by their seed."""
    ended = [record(path.parent) for path in study.glob("*/results.json")]
    return {job["seed"]: (job["status"], job["reason"]) for job in ended}


def started(folder, *arguments):
    """Start the command in `folder`."""
    clean = {k: v for k, v in os.environ.items() if not k.startswith(("WANDB", "PYTEST", "HYDRA"))}
    return start_command(command(*arguments), folder, clean)


def at_work(folder):
    """The processes that have the lock of the run in `folder`."""
    lock = os.path.realpath(folder / ".lock")
    found = []
    for link in Path("/proc").glob("[0-9]*/fd/*"):
        with contextlib.suppress(OSError):  # it has ended, or is another user's
            if os.readlink(link) == lock:
                found.append(int(link.parts[2]))
    return found


def wait_for(condition):
    end = time.monotonic() + PATIENCE
    while not condition():
        if time.monotonic() > end:
            pytest.fail(f"waited in vain for {PATIENCE} s")
        time.sleep(0.05)
