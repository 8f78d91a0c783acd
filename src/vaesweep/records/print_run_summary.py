"""The last lines that a run prints."""

import os
from pathlib import Path

from rich.console import Console
from rich.table import Table

from vaesweep.records import wandb_lifecycle
from vaesweep.records.results import Results
from vaesweep.settings.rule import is_int

UNITS = {"mse": "per pixel", "active_units": "dimensions"}
"""Units of the metrics that every model has, where not nats per image."""


def print_line(results: Results, folder: Path) -> None:
    """Print how a job of a study ended, in one line."""
    why = f": {results.reason}" if results.reason else ""
    print(f"{results.status} {folder.name} in {results.seconds:.0f} s{why}", flush=True)


def print_summary(results: Results, folder: Path) -> None:
    """Print test metrics with their units, the folder, and how to look at it."""
    console = Console(highlight=False, emoji=False, soft_wrap=True)
    declared = results.declared
    units = UNITS | dict(declared.terms)
    if results.metrics:
        title = f"{results.model} on {results.data}, seed {results.seed}: test split"
        if declared.rate_weight_range:
            title += f" at {declared.rate_weight}={results.rate_weight:g}"
        table = Table(title=title)
        table.add_column("metric")
        table.add_column("value", justify="right")
        table.add_column("± s.e.", justify="right")
        table.add_column("unit")
        for name in (name for name in results.metrics if name.startswith("test/")):
            metric = name.removeprefix("test/")
            number = "{:.4f}" if metric == "mse" else "{:.2f}"
            error = number.format(results.errors[name]) if name in results.errors else ""
            value = number.format(results.metrics[name])
            table.add_row(metric, value, error, units.get(metric, "nats per image"))
        console.print(table)
        planned = results.config.get("trainer", {}).get("max_epochs")
        of = f" of {planned}" if is_int(planned) and results.epochs < planned else ""  # early stopping, or a limit
        took = f"{results.epochs}{of} epoch{'s' * (of != '' or results.epochs != 1)} in {results.seconds:.1f} s"
        on = f" on {results.device}" if results.device else ""
        speed = f"{results.seconds_per_epoch:.2f} s an epoch"
        console.print(f"{took} ({speed}){on}, {results.parameters:,} parameters", markup=False)
    if results.has_collapsed:
        is_setting = declared.rate_weight in results.config.get("model", {})
        weight = f", try a lower model.{declared.rate_weight}" if is_setting else ""
        advice = f"unless it is too early to tell{weight}"
        console.print(f"posterior collapse: no latent dimension is used ({advice})", style="bold")
    if results.status != "completed":
        console.print(f"{results.status}: {results.reason}", style="bold", markup=False)
    here = os.path.relpath(folder)
    console.print(f"run folder   {here}", markup=False)
    if (folder / "figures").is_dir():
        console.print(f"figures      {here}/figures", markup=False)
    for word, command in zip(("look at it", "upload it"), wandb_lifecycle.sync_commands(folder), strict=False):
        console.print(f"{word:<12} {command}", markup=False)
