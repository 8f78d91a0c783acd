"""A run in this process."""

from pathlib import Path

from omegaconf import DictConfig

from vaesweep.records.results import Results
from vaesweep.training.run_and_record import run


def recorded_metrics(config: DictConfig) -> dict[str, float]:
    """Run `config`; the metrics of its record."""
    run(config)
    return Results.read(Path(config.folder)).metrics
