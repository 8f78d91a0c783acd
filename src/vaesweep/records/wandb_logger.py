"""Lightning's logger over a W&B run, which takes the record of the run as well."""

import logging
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import wandb
from lightning.pytorch.loggers import WandbLogger
from lightning.pytorch.utilities import rank_zero_only

from vaesweep.records.results import Results
from vaesweep.records.wandb_lifecycle import open_run, study_group

log = logging.getLogger(__name__)


class RunLogger(WandbLogger):
    """Lightning's W&B logger over the open W&B run of the run in `folder`, which also takes the run's record.

    With `log_checkpoints` the checkpoints of a completed run become an artifact. They are not left to Lightning, which
    calls the last one "best" and asks for them at the end of training, not of the run.
    """

    def __init__(self, folder: Path, run: wandb.Run, log_checkpoints: bool) -> None:
        super().__init__(save_dir=folder, experiment=run)
        self.folder, self.log_checkpoints = folder, log_checkpoints

    def log_results(self, results: Results, training_means: Mapping[str, float]) -> None:
        """Metrics and their errors, parameters, whether the posterior collapsed, what each latent dimension carries,
        and the checkpoints. `training_means` stand for the last point of the curves, a mean of a few steps.
        """
        try:
            self.log_record(results, training_means)
        except Exception as error:  # tables and artifacts ask the server, and the run itself is over
            log.warning("W&B did not take the results (%s)", " ".join(str(error).split()))

    def log_record(self, results: Results, training_means: Mapping[str, float]) -> None:
        """`log_results`, which raises what W&B raises."""
        run: wandb.Run = self.experiment
        errors = {f"{name}_se": value for name, value in results.errors.items()}
        run.summary.update(dict(training_means) | results.metrics | errors)
        run.summary.update({"parameters": results.parameters, "collapsed": results.has_collapsed})
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


def dimension_chart(results: Results) -> Any:
    """What each latent dimension carries, as a bar chart of W&B's over a table."""
    unit = results.declared.dimension_unit
    rows = [[str(number), value] for number, value in enumerate(results.dimensions)]
    table = wandb.Table(columns=["dimension", unit], data=rows)
    return wandb.plot.bar(table, "dimension", unit, title=f"{unit} by latent dimension")
