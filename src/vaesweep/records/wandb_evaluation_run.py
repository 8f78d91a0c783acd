"""An evaluation as a W&B run beside that of the training."""

from pathlib import Path
from typing import Any

import wandb
from omegaconf import OmegaConf

from vaesweep.records.evaluation_record import FIGURES, EvaluationRecord
from vaesweep.records.results import Results
from vaesweep.records.run_name import run_name
from vaesweep.records.wandb_lifecycle import finish, open_run, study_group


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
    weights = {
        "run": folder.name,
        "checkpoint": evaluation.checkpoint,
        "seed": evaluation.seed,
        "beta": evaluation.beta,
    }
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
