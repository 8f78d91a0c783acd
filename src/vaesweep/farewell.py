"""What a run says last."""

import os
from pathlib import Path

from rich.console import Console
from rich.table import Table

from vaesweep import loggers
from vaesweep.results import Results

UNITS = {"mse": "per pixel", "active_units": "dimensions", "sparsity": "sum over units", "contraction": "squared norm"}
"""Units of test metrics; all others are nats per image."""


def farewell(results: Results, folder: Path) -> None:
    """The last words on the terminal: test metrics with their units, the folder, and how to look at it."""
    console = Console(highlight=False, soft_wrap=True)
    if results.metrics:
        table = Table(title=f"{results.model} on {results.data}, seed {results.seed}: test split")
        table.add_column("metric")
        table.add_column("value", justify="right")
        table.add_column("unit")
        for name, value in results.metrics.items():
            metric = name.removeprefix("test/")
            table.add_row(
                metric, f"{value:.4f}" if metric == "mse" else f"{value:.2f}", UNITS.get(metric, "nats per image")
            )
        console.print(table)
        took = f"{results.epochs} epoch{'s' * (results.epochs != 1)} in {results.seconds:.1f} s"
        console.print(f"{took} ({results.seconds_per_epoch:.2f} s an epoch), {results.parameters:,} parameters")
    if "test/kl" in results.metrics and results.metrics["test/active_units"] == 0:
        advice = "unless it is too early to tell, try a lower model.beta or model.free_bits=0.1"
        console.print(f"posterior collapse: no latent dimension is used ({advice})", style="bold")
    if results.status != "completed":
        console.print(f"{results.status}: {results.reason}", style="bold", markup=False)
    here = os.path.relpath(folder)
    console.print(f"run folder   {here}", markup=False)
    if (folder / "figures").is_dir():
        console.print(f"figures      {here}/figures", markup=False)
    for word, command in zip(("look at it", "upload it"), loggers.hints(folder), strict=False):
        console.print(f"{word:<12} {command}", markup=False)
