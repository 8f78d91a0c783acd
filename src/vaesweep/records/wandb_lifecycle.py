"""Opens, continues and finishes W&B runs: offline unless asked, never a prompt, never a hang, one run a job."""

import logging
import os
import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Any

from vaesweep.errors import ConfigError
from vaesweep.records.results import STUDY
from vaesweep.settings.check_arguments import check_choice

if TYPE_CHECKING:
    from wandb import Run

log = logging.getLogger(__name__)
TIMEOUT = 30
"""Seconds for W&B to answer at the start; it has four times as many at the end, to take what is left."""
OPEN_RUNS: "dict[Path, Run]" = {}
"""The W&B runs of this process, by folder."""


def study_group(folder: Path) -> str | None:
    """The group of the job in `folder`: its study's folder; None for a run that is in no study."""
    return folder.parent.name if (folder.parent / STUDY).is_file() else None


def check_login(key: str, mode: str) -> None:
    """Raises `ConfigError` of the setting `key` for `online` without an API key."""
    if mode != "online":
        return
    import wandb  # here, because it takes a second to import, and a run without W&B needs none of it

    if not wandb.login(prompt=False, verify=False):
        raise ConfigError(key, "online without an API key", "online after `wandb login`, or offline")


def open_run(folder: Path, mode: str, **what: Any) -> "Run":
    """The W&B run of `folder`; see `wandb_logger` for how it goes on, falls back, and what it refuses."""
    import wandb  # here, because it takes a second to import, and a run without W&B needs none of it

    check_login("mode", check_choice("mode", mode, ("offline", "online", "disabled")))
    earlier = recordings(folder)
    options: dict[str, Any] = what | {
        "dir": str(folder),
        "id": run_id(earlier[-1]) if earlier else None,
        "mode": mode,
        "reinit": "create_new",  # several may be open at a time
        # in an offline recording too, for a sync to count on from the steps of the earlier one
        "resume": "allow" if mode == "online" or earlier else None,
        "settings": wandb.Settings(silent=True, init_timeout=TIMEOUT, finish_timeout=4 * TIMEOUT),
    }
    try:
        OPEN_RUNS[folder] = wandb.init(**options)
    except (wandb.errors.CommError, wandb.errors.UsageError) as error:
        log.warning("W&B did not answer (%s): recording offline", " ".join(str(error).split()))
        if not OPEN_RUNS:
            wandb.teardown()
        OPEN_RUNS[folder] = wandb.init(**options | {"mode": "offline", "resume": None})
    return OPEN_RUNS[folder]


def recordings(folder: Path) -> list[Path]:
    """The W&B folders of a run, oldest first."""
    return sorted((folder / "wandb").glob("*run-*-*"), key=lambda run: run.name.partition("run-")[2])


def run_id(recording: Path) -> str | None:
    """The id of a recorded run; None where W&B got no further than making its folder."""
    return next((file.stem.removeprefix("run-") for file in recording.glob("run-*.wandb")), None)


def finish(folder: Path, failed: bool) -> None:
    """Close the W&B run of the run in `folder`, if it is open, marked by how the job ended."""
    if folder in OPEN_RUNS:
        try:
            OPEN_RUNS.pop(folder).finish(exit_code=1 if failed else 0)
        except Exception as error:  # the run itself is over, and its recording can be uploaded later
            log.warning("W&B did not finish (%s)", " ".join(str(error).split()))


def sync_commands(folder: Path) -> list[str]:
    """The commands that show and upload a run's recording."""
    if not recordings(folder):
        return []
    here = shlex.quote(os.path.relpath(folder / "wandb"))
    return [f"wandb leet {here}", f"wandb sync {here}/*run-*"]  # a resumed run has several recordings
