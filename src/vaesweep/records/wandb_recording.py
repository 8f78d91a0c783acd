"""Weights & Biases: offline unless asked, never a prompt, never a hang, one run a job."""

import logging
import os
import shlex
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import wandb
from lightning.pytorch.loggers import WandbLogger
from lightning.pytorch.utilities import rank_zero_only

from vaesweep.checks import ConfigError, check_choice
from vaesweep.records.evaluation_record import EvaluationRecord
from vaesweep.records.results import STUDY

log = logging.getLogger(__name__)
TIMEOUT = 30
"""Seconds for W&B to answer at the start; it has four times as many at the end, to take what is left."""
OPEN_RUNS: dict[Path, wandb.Run] = {}
"""The W&B runs of this process, by folder."""


def wandb_logger(
    folder: str | Path,
    *,
    project: str,
    entity: str | None,
    name: str | None,
    mode: str,
    group: str | None,
    job_type: str | None,
    notes: str | None,
    tags: Iterable[str],
) -> WandbLogger:
    """Open the W&B run of the run in `folder` and return Lightning's logger over it.

    The job of a study is in the group of the study's folder, where no other is named. A folder that has a W&B run
    already goes on with that run's id. `online` falls back to offline when the server does not answer within
    `TIMEOUT` seconds: a dashboard is not worth a night's training, and `wandb sync` uploads the run later.
    Raises `ConfigError` for an unknown mode, and for `online` without an API key.
    """
    folder = Path(folder)
    if getattr(rank_zero_only, "rank", 0):
        return WandbLogger(save_dir=folder, project=project)
    study = folder.parent if (folder.parent / STUDY).is_file() else None
    run = open_run(
        folder,
        mode,
        project=project,
        entity=entity,
        name=name or folder.name,
        group=group or (study.name if study else None),
        job_type=job_type,
        notes=notes,
        tags=list(tags),
    )
    run.define_metric("trainer/global_step")
    run.define_metric("*", step_metric="trainer/global_step", step_sync=True)
    return WandbLogger(save_dir=folder, experiment=run)


def check_login(key: str, mode: str) -> None:
    """Raises `ConfigError` of the setting `key` for `online` without an API key."""
    if mode == "online" and not wandb.login(prompt=False, verify=False):
        raise ConfigError(key, "online without an API key", "online after `wandb login`, or offline")


def open_run(folder: Path, mode: str, **what: Any) -> wandb.Run:
    """The W&B run of `folder`; see `wandb_logger` for how it goes on, falls back, and what it refuses."""
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


def log_report(study: str, folder: Path, runs: Any, project: str, mode: str) -> None:
    """Log the report in `folder` as one run of the study's group: its page, its figures, and the table of `runs`."""
    run = open_run(
        folder, mode, project=project, name=f"report {study}", group=study, job_type="report", tags=["report"]
    )
    pictures = {f"report/{path.stem}": wandb.Image(str(path)) for path in sorted(folder.glob("*.png"))}
    text = runs.astype({column: str for column in runs if runs[column].dtype == object})
    run.log({"report/page": wandb.Html(str(folder / "index.html")), "runs": wandb.Table(dataframe=text), **pictures})
    finish(folder, failed=False)


def log_evaluation(folder: Path, evaluation: EvaluationRecord, project: str, mode: str) -> None:
    """Add an evaluation to the run's own recording: its numbers to the summary, its figures as media."""
    run = open_run(folder, mode, project=project, name=folder.name)
    run.summary.update({f"evaluation/{name}": value for name, value in evaluation.flat().items()})
    for path in evaluation.figures(folder):
        film = path.suffix == ".gif"
        run.log({f"evaluation/{path.stem}": wandb.Video(str(path), format="gif") if film else wandb.Image(str(path))})
    finish(folder, failed=False)


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
