"""What it costs to begin, and what a run takes of the machine: `make bench`.

- seconds of `--help` and of `--cfg job`;
- seconds from the command to the end of the first training step on digits;
- seconds that a job adds to its training where one process runs them one after the other, with figures and without;
- peak memory of an epoch on MNIST.

Medians over the turns, each turn in processes of its own. A first run fills caches and is not counted.
"""

import argparse
import os
import platform
import re
import statistics
import subprocess
import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory

import lightning as L
from rich.console import Console

from vaesweep.records.results import Results

ROOT = Path(__file__).parent.parent.parent
DATA = os.environ.get("VAESWEEP_DATA", "data")
MARK = "first step at "
WATCHED = "+callbacks.first._target_=run_overhead.FirstStep"
JOBS = 4


class FirstStep(L.Callback):
    """Prints when the first training step of a run is done; for the runs that are measured."""

    def __init__(self) -> None:
        self.done = False

    def on_train_batch_end(self, *_: object) -> None:
        if not self.done:
            print(f"\n{MARK}{time.time()}", flush=True)
        self.done = True


def train(*arguments: str) -> tuple[str, float]:
    """What `python src/train.py` says, and the most memory it takes, in GB."""
    command = [sys.executable, str(ROOT / "src/train.py"), *arguments]
    environment = os.environ | {"PYTHONPATH": str(Path(__file__).parent)}
    child = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment)
    assert child.stdout
    said = child.stdout.read()
    _, status, used = os.wait4(child.pid, 0)  # not wait(), which does not tell what the child used
    if status:
        raise SystemExit(f"failed: {' '.join(command)}")
    return said, used.ru_maxrss * (1 if sys.platform == "darwin" else 1024) / 1e9


def seconds(*arguments: str) -> float:
    """Seconds of `python src/train.py`, from start to end."""
    begun = time.time()
    train(*arguments)
    return time.time() - begun


def marks(said: str) -> list[float]:
    """When the first steps were done."""
    return [float(mark) for mark in re.findall(rf"{MARK}(\S+)", said)]


def first_step() -> float:
    """Seconds from the command to the end of the first step, W&B and all."""
    with TemporaryDirectory() as folder:
        begun = time.time()
        said, _ = train("data=digits", "trainer.max_epochs=1", WATCHED, f"hydra.run.dir={folder}")
    return marks(said)[0] - begun


def job(*overrides: str) -> float:
    """Seconds from first step to first step of one job and the next, less those of training."""
    seeds = f"seed={','.join(map(str, range(JOBS)))}"
    with TemporaryDirectory() as folder:
        where = [f"hydra.sweep.dir={folder}", "hydra.sweep.subdir=${seed}"]
        said, _ = train("-m", "data=digits", "trainer.max_epochs=5", seeds, WATCHED, *where, *overrides)
        trained = [Results.read(Path(folder) / str(seed)).seconds for seed in range(JOBS - 1)]
    first, *_, last = marks(said)
    return (last - first - sum(trained)) / (JOBS - 1)


def peak() -> float:
    """The most memory of an epoch on MNIST, in GB."""
    with TemporaryDirectory() as folder:
        mnist = ["model=vae", "network=mlp", "data=mnist", f"data.root={DATA}"]
        return train(*mnist, "trainer.max_epochs=1", f"hydra.run.dir={folder}")[1]


MEASURED = {
    "`--help`": (lambda: seconds("--help"), "s"),
    "`--cfg job`": (lambda: seconds("--cfg", "job"), "s"),
    "command to first step, digits": (first_step, "s"),
    "a job in a study, over its training": (job, "s"),
    "the same without figures": (lambda: job("callbacks=no_figures"), "s"),
    "peak memory of an epoch, MNIST": (peak, "GB"),
}


def main() -> None:
    """Measure, print the table, and write it."""
    parser = argparse.ArgumentParser(description="What it costs to begin.")
    parser.add_argument("--turns", type=int, default=2, help="turns of each (default: 2)")
    parser.add_argument("--out", type=Path, default=Path("runs/bench/run_overhead.md"), help="where the table goes")
    given = parser.parse_args()
    taken: dict[str, list[float]] = {name: [] for name in MEASURED}
    first_step()  # reads what the others will read again
    for turn in range(given.turns):
        for name, (measure, _) in MEASURED.items():
            print(f"turn {turn + 1} of {given.turns}: {name}")
            taken[name].append(measure())
    lines = ["| | median |", "|---|--:|"]
    lines += [f"| {name} | {statistics.median(taken[name]):.2f} {unit} |" for name, (_, unit) in MEASURED.items()]
    lines += ["", f"Medians of {given.turns} turns; {os.cpu_count()} CPU cores, {platform.machine()}."]
    given.out.parent.mkdir(parents=True, exist_ok=True)
    given.out.write_text("\n".join(lines) + "\n")
    Console().print("\n".join(lines), markup=False, highlight=False)


if __name__ == "__main__":
    main()
