"""A run that is yet to come."""

from dataclasses import dataclass
from pathlib import Path

from omegaconf import DictConfig

from vaesweep.records.results import Results


@dataclass(eq=False)
class PendingRun:
    """The configuration of a run, its folder, and the record that it will leave there."""

    config: DictConfig
    folder: Path
    results: Results
