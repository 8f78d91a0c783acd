"""A run that is killed at any moment, resumed, killed again and resumed ends as one that was left alone.

VAESWEEP_KILLS=40 in the environment draws forty moments instead of two, VAESWEEP_KILLS_SEED=1 others than usual.
"""

import math
import os
import random
import signal
import time
from pathlib import Path

import pytest
import torch

from support.commands import record, started, train
from support.nightly import at_night_but

pytestmark = pytest.mark.slow

KILLS = int(os.environ.get("VAESWEEP_KILLS", "2"))
SEED = int(os.environ.get("VAESWEEP_KILLS_SEED", "0"))
SETTINGS = [
    *("model=vae", "data=digits", "data.binarize=dynamic", "trainer=cpu", "trainer.max_epochs=3", "hydra.run.dir=run"),
    *("callbacks.figures.every_n_epochs=1", "callbacks.figures.examples=50", "checkpoint_every_n_seconds=0"),
]
SIGNALS = (signal.SIGKILL, signal.SIGTERM)


def moments(count, seed):
    """A share of the life of a run in each of `count` equal parts of it, and a signal: each of the two in turn."""
    source = random.Random(seed)
    return [((k + source.random()) / count, SIGNALS[k % 2]) for k in range(count)]


def ends(folder):
    """What a run leaves that must not depend on its interruptions."""
    left = record(folder)
    pictures = sorted(path for part in ("figures", "examples") for path in (folder / part).iterdir())
    files = {str(path.relative_to(folder)): path.read_bytes() for path in [*pictures, folder / "history.csv"]}
    return {key: left[key] for key in ("status", "reason", "metrics", "dimensions", "epochs")} | files


def weights(folder):
    return {
        f"{name} {key}": value
        for name in ("last", "best")
        for key, value in torch.load(folder / "checkpoints" / f"{name}.ckpt", weights_only=True)["state_dict"].items()
    }


def processor_seconds(pid):
    """What a process has used of the processor, its age on a machine that others use; infinity once it has ended."""
    try:
        used = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[11:13]
    except FileNotFoundError:
        return math.inf
    return sum(map(int, used)) / os.sysconf("SC_CLK_TCK")


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory):
    """The folder of a run that is left alone, and the seconds of the processor that it took."""
    home = tmp_path_factory.mktemp("undisturbed")
    with started(home, *SETTINGS) as process:
        used = []
        while process.poll() is None:
            used.append(processor_seconds(process.pid))
            time.sleep(0.005)
        _, errors = process.communicate()
    assert process.returncode == 0, errors
    return home / "run", max(filter(math.isfinite, used))


def kill(home, seconds, signum):
    """Start the run, or go on with it, and send it a signal when it has used so many `seconds` of the processor."""
    with started(home, *again(home)) as process:
        while process.poll() is None and processor_seconds(process.pid) < seconds:
            time.sleep(0.005)
        process.send_signal(signum)  # nothing to a process that has ended
    finished = process.returncode == 0
    assert finished or process.returncode in (-signum, 128 + signum)
    assert not finished or record(home / "run")["status"] == "completed"
    left = sorted(path.name for path in (home / "run").rglob("*"))
    print("finished" if finished else "killed", f"at {seconds:.1f} s, leaving", left)


def again(home):
    """The arguments that go on with the run, or start it where it has not begun."""
    overrides = home / "run" / ".hydra" / "overrides.yaml"
    has_begun = overrides.is_file() and overrides.stat().st_size > 0
    return ["resume=run"] if has_begun else SETTINGS


@pytest.mark.parametrize(("share", "signum"), at_night_but(moments(KILLS, SEED)[:1], moments(KILLS, SEED)))
def test_a_run_that_is_killed_twice_and_resumed_ends_as_one_that_was_left_alone(tmp_path, undisturbed, share, signum):
    whole, seconds = undisturbed
    kill(tmp_path, share * seconds, signum)
    kill(tmp_path, (1 - share) * seconds, signum)
    resumed = train(tmp_path, *again(tmp_path))
    assert resumed.returncode == 0, resumed.stderr
    folder = tmp_path / "run"
    assert ends(folder) == ends(whole)
    theirs = weights(whole)
    assert all(torch.equal(value, theirs[name]) for name, value in weights(folder).items())
    assert not list(folder.rglob("*.part"))
