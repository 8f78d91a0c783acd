"""The report of a study as a W&B run of its group."""

from pathlib import Path
from typing import Any

import pandas as pd
import wandb

from vaesweep.records import wandb_lifecycle


def log_report(study: str, folder: Path, runs: pd.DataFrame, project: str, entity: str | None, mode: str) -> None:
    """Log the report in `folder` as one run of the study's group: charts of the plane, the table of `runs`, its figures
    and its page."""
    run = wandb_lifecycle.open_run(
        folder,
        mode,
        project=project,
        entity=entity,
        name=f"report {study}",
        group=study,
        job_type="report",
        tags=["report"],
    )
    text = runs.astype({column: str for column in runs if runs[column].dtype == object})
    pictures = {f"report/{path.stem}": wandb.Image(str(path)) for path in sorted(folder.glob("*.png"))}
    page = {"report/page": wandb.Html(str(folder / "index.html"))}
    run.log(plane_charts(runs) | {"runs": wandb.Table(dataframe=text)} | pictures | page)
    wandb_lifecycle.finish(folder, failed=False)


def plane_charts(runs: pd.DataFrame) -> dict[str, Any]:
    """The rate-distortion plane as charts of W&B's: a point per completed run, and a line per series over its means."""
    points = runs[(runs.status == "completed") & runs.rate.notna()]
    if points.empty:
        return {}
    x, y = "rate (nats per image)", "distortion (nats per image)"
    columns = ["rate", "distortion", "beta", "series", "setting", "seed", "run"]
    points = points[columns].rename(columns={"rate": x, "distortion": y})
    means = points.groupby(["series", "setting"], sort=False)[[x, y]].mean().reset_index().sort_values(["series", x])
    by_run, by_setting = wandb.Table(dataframe=points), wandb.Table(dataframe=means)
    return {
        "plane": wandb.plot.scatter(by_run, x, y, title="Rate-distortion plane, runs"),
        "plane_means": wandb.plot.line(by_setting, x, y, "series", title="Rate-distortion plane, means over seeds"),
    }
