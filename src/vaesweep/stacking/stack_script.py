"""Script that trains a stack in a process of its own."""

import json
import os
import sys
import traceback
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hydra.conf import HydraConf
from hydra.core.hydra_config import HydraConfig
from hydra.types import RunMode
from omegaconf import OmegaConf

if TYPE_CHECKING:
    from vaesweep.training.planned_run import PlannedRun

JOBS = "jobs.json"
"""The file that hands the jobs to the script."""
TOO_LARGE = 3
"""Exit code of a stack that the device has no room for; 1 is that of any other error that is not a member's own."""


def stack_command(jobs: Sequence["PlannedRun"], folder: Path) -> list[str]:
    """The command that trains `jobs` as one stack; they are written to `folder` for it."""
    folder.mkdir(parents=True, exist_ok=True)
    descriptions = [
        {"folder": str(job.folder), "config": OmegaConf.to_container(job.config), "overrides": job.results.overrides}
        for job in jobs
    ]
    (folder / JOBS).write_text(json.dumps(descriptions))
    return [sys.executable, os.path.abspath(__file__), str(folder / JOBS)]


def train_stack(file: Path) -> int:
    """Train the jobs in `file`; returns the exit code. What they left says how each of them ended, where that is 0.

    Raises SystemExit on a signal, see `RunRecorder`.
    """
    from vaesweep.training import fast_lightning_import  # noqa: F401  here, because torch takes seconds to import

    # isort: split
    import torch

    from vaesweep.errors import DivergenceError, reason
    from vaesweep.stacking.train_and_test import run_stack

    HydraConfig.instance().set_config(OmegaConf.create({"hydra": HydraConf(mode=RunMode.MULTIRUN)}))
    try:
        run_stack([job(**description) for description in json.loads(file.read_text())])
    except DivergenceError:  # of all of them
        return 0
    except Exception as error:
        traceback.print_exc()
        print(f"error: {reason(error)}", file=sys.stderr, flush=True)
        return TOO_LARGE if isinstance(error, torch.OutOfMemoryError) else 1
    return 0


def job(folder: str, config: dict[str, Any], overrides: list[str]) -> "PlannedRun":
    """A job as `stack_command` wrote it."""
    from vaesweep.records.results import Results
    from vaesweep.training.planned_run import PlannedRun

    composed = OmegaConf.create(config)
    return PlannedRun(composed, Path(folder), Results.from_config(composed, overrides))


if __name__ == "__main__":
    # Python puts the script's folder first, whose modules would hide a user's of the same name
    sys.path[0] = str(Path(__file__).parents[2])
    from vaesweep.run_script import exit_at_once
    from vaesweep.settings.instantiate import add_import_path
    from vaesweep.stop_signals import follow_parent

    follow_parent()
    add_import_path(os.getcwd())
    exit_at_once(train_stack(Path(sys.argv[1])))
