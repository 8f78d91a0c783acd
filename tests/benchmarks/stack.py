"""What a study costs as a stack, against the same jobs one after the other and against the pool: `make bench-stack`.

M members of a beta-VAE with 20 latent dimensions, beta and seed mixed, `--steps` steps of 128 images each and a test,
without figures and W&B; the mlp is 784-400-20 on MNIST and 64-400-20 on digits. Seconds are of the whole study, in a
process that has imported everything; the pool's jobs are processes and pay for their start. Throughput is of training
alone: steps of one member, per second.
"""

import argparse
import gc
import os
import platform
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

import torch
from hydra import compose, initialize_config_dir
from hydra.core.hydra_config import HydraConfig
from omegaconf import OmegaConf, open_dict
from rich.console import Console

from vaesweep.records.results import Results
from vaesweep.stacking.train_and_test import run_stack
from vaesweep.training.planned_run import PlannedRun

ROOT = Path(__file__).parent.parent.parent
DATA = os.environ.get("VAESWEEP_DATA", "data")
COMMON = [
    "model=beta_vae",
    "model.latent_dim=20",
    "data.batch_size=128",
    "logger.wandb.mode=disabled",
    "callbacks=no_figures",
]
QUIET = ["+trainer.enable_progress_bar=false", "~callbacks.progress"]
CASES = {
    "digits-mlp": ["data=digits", "network=mlp"],
    "mnist-mlp": ["data=mnist", f"data.root={DATA}", "network=mlp"],
    "mnist-conv": ["data=mnist", f"data.root={DATA}", "network=conv", "network.dense=[16]"],
}


def knobs(member: int) -> list[str]:
    """Of each member others: four betas, and a seed."""
    return [f"model.beta={2 ** (member % 4)}", f"seed={member // 4}"]


def job(folder: Path, overrides: Sequence[str]) -> PlannedRun:
    """A job as a launcher makes it."""
    folder.mkdir(parents=True)
    with initialize_config_dir(str(ROOT / "conf"), version_base="1.3"):
        composed = compose("config", [*overrides, f"hydra.runtime.output_dir={folder}"], return_hydra_config=True)
    HydraConfig.instance().set_config(composed)
    with open_dict(composed):
        del composed["hydra"]
    OmegaConf.resolve(composed)
    return PlannedRun(composed, folder, Results.from_config(composed, []))


def one_by_one(folder: Path, overrides: Sequence[str], members: int) -> None:
    for k in range(members):
        run_stack([job(folder / str(k), [*overrides, *knobs(k)])])


def as_stack(folder: Path, overrides: Sequence[str], members: int) -> None:
    run_stack([job(folder / str(k), [*overrides, *knobs(k)]) for k in range(members)])


def by_pool(folder: Path, overrides: Sequence[str], members: int) -> None:
    swept = [f"{one.partition('=')[0]}={','.join(values)}" for one, values in (
        ("seed", sorted({knobs(k)[1].partition("=")[2] for k in range(members)}, key=int)),
        ("model.beta", sorted({knobs(k)[0].partition("=")[2] for k in range(members)}, key=int)),
    )]  # fmt: skip
    command = [sys.executable, str(ROOT / "src" / "train.py"), "-m", *overrides, *swept, "hydra/launcher=pool"]
    subprocess.run([*command, f"hydra.sweep.dir={folder}"], check=True, capture_output=True)


WAYS: dict[str, Callable[[Path, Sequence[str], int], None]] = {
    "one after the other": one_by_one,
    "pool": by_pool,
    "stack": as_stack,
}


def measured(way: str, overrides: Sequence[str], members: int) -> tuple[float, float, float]:
    """Seconds of the study, seconds of training, and the most memory of this process in MiB, or of its GPU."""
    gc.collect()
    reset_peak()
    with TemporaryDirectory() as folder:
        begun = time.perf_counter()
        WAYS[way](Path(folder) / "study", overrides, members)
        took = time.perf_counter() - begun
        ended = [Results.read(path.parent) for path in Path(folder).glob("study/*/results.json")]
    assert len(ended) == members
    assert {one.status for one in ended} == {"completed"}
    return took, sum(one.seconds for one in ended), peak()


def medians(turns: Sequence[tuple[float, float, float]]) -> list[float]:
    """Of each of the three figures of `measured`."""
    return [statistics.median(values) for values in zip(*turns, strict=True)]


def reset_peak() -> None:
    if torch.cuda.is_available():
        torch.cuda.empty_cache()
        torch.cuda.reset_peak_memory_stats()
    elif Path("/proc/self/clear_refs").exists():
        Path("/proc/self/clear_refs").write_text("5")


def peak() -> float:
    if torch.cuda.is_available():
        return torch.cuda.max_memory_allocated() / 2**20
    status = Path("/proc/self/status")
    lines = status.read_text().splitlines() if status.exists() else []
    return next((int(line.split()[1]) / 1024 for line in lines if line.startswith("VmHWM")), float("nan"))


def machine() -> str:
    device = torch.cuda.get_device_name() if torch.cuda.is_available() else "no GPU"
    return f"{os.cpu_count()} CPU cores, {platform.machine()}, {device}, torch {torch.__version__}"


def main() -> None:
    """Measure, print the table, and write it."""
    parser = argparse.ArgumentParser(description="What a study costs as a stack.")
    parser.add_argument("--members", type=int, nargs="+", default=[1, 4, 16, 32, 64])
    parser.add_argument("--cases", nargs="+", choices=CASES, default=list(CASES))
    parser.add_argument("--steps", type=int, default=200, help="training steps of each job (default: 200)")
    parser.add_argument("--turns", type=int, default=1, help="turns of each (default: 1)")
    parser.add_argument("--pool-most", type=int, default=64, help="leave the pool out for more members (default: 64)")
    parser.add_argument("--out", type=Path, default=Path("runs/bench/stack.md"), help="where the table goes")
    given = parser.parse_args()
    lines = [
        "| | M | one after the other, s | pool, s | stack, s | stack is faster by | member-steps/s alone "
        "| in the stack | faster by | MiB alone | stack |",
        "|---|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|",
    ]
    for case in given.cases:
        overrides = [*COMMON, *QUIET, *CASES[case], "trainer.max_epochs=1000", f"+trainer.max_steps={given.steps}"]
        for way in ("one after the other", "stack"):
            measured(way, [*overrides, "trainer.max_epochs=1"], 2)  # what is set up on first use
        for members in given.members:
            seen: dict[str, list[tuple[float, float, float]]] = {way: [] for way in WAYS}
            ways = [way for way in WAYS if way != "pool" or members <= given.pool_most]
            for turn in range(given.turns):
                for way in ways:
                    print(f"{case}, {members} members, turn {turn + 1} of {given.turns}: {way}", flush=True)
                    seen[way].append(measured(way, overrides, members))
            (alone, apart, low), (stack, together, high) = medians(seen["one after the other"]), medians(seen["stack"])
            pool = f"{medians(seen['pool'])[0]:.1f}" if seen["pool"] else ""
            steps = members * given.steps
            cells = [
                case, members, f"{alone:.1f}", pool, f"{stack:.1f}", f"{alone / stack:.2f} x",
                f"{steps / apart:.0f}", f"{steps / together:.0f}", f"{apart / together:.2f} x",
                f"{low:.0f}", f"{high:.0f}",
            ]  # fmt: skip
            lines.append("| " + " | ".join(str(cell) for cell in cells) + " |")
            given.out.parent.mkdir(parents=True, exist_ok=True)
            given.out.write_text("\n".join([*lines, "", machine()]) + "\n")
    Console().print("\n".join([*lines, "", machine()]), markup=False, highlight=False, soft_wrap=True)


if __name__ == "__main__":
    main()
