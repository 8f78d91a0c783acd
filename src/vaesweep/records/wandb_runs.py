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
from omegaconf import OmegaConf

from vaesweep.errors import ConfigError
from vaesweep.records.config_hash import NOT_HASHED
from vaesweep.records.evaluation_record import FIGURES, EvaluationRecord
from vaesweep.records.results import STUDY, Results
from vaesweep.value_rules import check_choice

log = logging.getLogger(__name__)
TIMEOUT = 30
"""Seconds for W&B to answer at the start; it has four times as many at the end, to take what is left."""
OPEN_RUNS: dict[Path, wandb.Run] = {}
"""The W&B runs of this process, by folder."""
NAME_LENGTH = 128
"""Characters of a name that W&B takes."""


class RunLogger(WandbLogger):
    """Lightning's W&B logger over the open W&B run of the run in `folder`, which also takes the run's record.

    With `log_checkpoints` the checkpoints of a completed run become an artifact. They are not left to Lightning, which
    calls the last one "best" and asks for them at the end of training, not of the run.
    """

    def __init__(self, folder: Path, run: wandb.Run, log_checkpoints: bool) -> None:
        super().__init__(save_dir=folder, experiment=run)
        self.folder, self.log_checkpoints = folder, log_checkpoints

    def log_results(self, results: Results) -> None:
        """Metrics and their errors, parameters, whether the posterior collapsed, what each latent dimension carries,
        and the checkpoints.
        """
        try:
            self.log_record(results)
        except Exception as error:  # tables and artifacts ask the server, and the run itself is over
            log.warning("W&B did not take the results (%s)", " ".join(str(error).split()))

    def log_record(self, results: Results) -> None:
        """`log_results`, which raises what W&B raises."""
        run: wandb.Run = self.experiment
        errors = {f"{name}_se": value for name, value in results.errors.items()}
        run.summary.update(results.metrics | errors)
        run.summary.update({"parameters": results.parameters, "collapsed": has_collapsed(results)})
        run.log({"dimensions": dimension_chart(results)})
        if self.log_checkpoints:
            artifact = wandb.Artifact(f"model-{run.id}", type="model", metadata=dict(results.metrics))
            for checkpoint in sorted((self.folder / "checkpoints").glob("*.ckpt")):
                artifact.add_file(str(checkpoint))
            run.log_artifact(artifact)


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
    log_model: bool,
) -> WandbLogger:
    """Open the W&B run of the run in `folder` and return Lightning's logger over it.

    The job of a study is in the group of the study's folder, where no other is named. `log_model` makes an artifact of
    the checkpoints once the run is completed. A folder that has a W&B run already goes on with that run's id. `online`
    falls back to offline when the server does not answer within `TIMEOUT` seconds: a dashboard is not worth a night's
    training, and `wandb sync` uploads the run later.
    Raises `ConfigError` for an unknown mode, and for `online` without an API key.
    """
    folder = Path(folder)
    if getattr(rank_zero_only, "rank", 0):
        return WandbLogger(save_dir=folder, project=project)
    run = open_run(
        folder,
        mode,
        project=project,
        entity=entity,
        name=name or folder.name,
        group=group or study_group(folder),
        job_type=job_type,
        notes=notes,
        tags=list(tags),
    )
    run.define_metric("trainer/global_step")
    run.define_metric("*", step_metric="trainer/global_step", step_sync=True)
    for name in ("trainer/global_step", "epoch"):
        run.define_metric(name, hidden=True)  # they would be panels of their own
    return RunLogger(folder, run, log_model)


def study_group(folder: Path) -> str | None:
    """The group of the job in `folder`: its study's folder; None for a run that is in no study."""
    return folder.parent.name if (folder.parent / STUDY).is_file() else None


def run_name(results: Results) -> str:
    """A name that says what a run is: model, data, weight of the rate, other settings that were given, seed."""
    settings = {}
    for override in results.overrides:
        key, _, value = override.lstrip("+~").partition("=")
        group, _, inner = key.replace("/", ".").partition(".")
        named_already = key in ("model", "data") or inner == "_target_" or key in NOT_HASHED
        if group in ("model", "network", "data", "optimizer") and not named_already:
            settings[key.replace("/", ".").rpartition(".")[2]] = value
    weight = results.declared.rate_weight
    if weight and results.rate_weight is not None:
        settings = {weight: f"{results.rate_weight:g}"} | {k: v for k, v in settings.items() if k != weight}
    words = [results.model, results.data, *(f"{key}={value}" for key, value in settings.items())]
    return " ".join([*words, f"seed={results.seed}"])[:NAME_LENGTH]


def has_collapsed(results: Results) -> bool:
    """Whether a completed run uses no latent dimension."""
    return results.metrics.get("test/active_units") == 0


def dimension_chart(results: Results) -> Any:
    """What each latent dimension carries, as a bar chart of W&B's over a table."""
    unit = results.declared.dimension_unit
    rows = [[str(number), value] for number, value in enumerate(results.dimensions)]
    table = wandb.Table(columns=["dimension", unit], data=rows)
    return wandb.plot.bar(table, "dimension", unit, title=f"{unit} by latent dimension")


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


def log_evaluation(folder: Path, results: Results, evaluation: EvaluationRecord, mode: str) -> None:
    """Log an evaluation of the run in `folder` as a W&B run beside that of its training, in the same project and group.

    Its numbers go to the summary, its figures are media. A later evaluation goes on with the same W&B run.
    """
    name = run_name(results)
    home = folder / FIGURES
    home.mkdir(exist_ok=True)
    run = open_run(
        home, mode, name=f"evaluate {name}", job_type="evaluate", tags=["evaluate"], **project_settings(folder)
    )
    weights = {"run": folder.name, "checkpoint": evaluation.checkpoint, "seed": evaluation.seed}
    run.config.update(results.config | {"evaluation": weights}, allow_val_change=True)
    run.summary.update({f"evaluation/{name}": value for name, value in evaluation.flat().items()})
    for path in evaluation.figures(folder):
        film = path.suffix == ".gif"
        run.log({f"evaluation/{path.stem}": wandb.Video(str(path), format="gif") if film else wandb.Image(str(path))})
    finish(home, failed=False)


def project_settings(folder: Path) -> dict[str, Any]:
    """Project, entity and group of the W&B run of the training in `folder`, or what they would have been."""
    path = folder / ".hydra" / "config.yaml"
    logger = OmegaConf.select(OmegaConf.load(path), "logger.wandb") if path.is_file() else None
    settings = {key: logger.get(key) if logger else None for key in ("project", "entity", "group")}
    return settings | {
        "project": settings["project"] or "vaesweep",
        "group": settings["group"] or study_group(folder),
    }


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
