"""What a run starts from: its configuration, its folder and its record."""

from dataclasses import dataclass
from pathlib import Path

from omegaconf import DictConfig

from vaesweep.records.results import Results


@dataclass(eq=False)
class PlannedRun:
    """A run before it starts: its configuration, its folder, and the record that it will leave there."""

    config: DictConfig
    folder: Path
    results: Results
    has_begun: bool = False
    """Whether training has begun, when nothing can refuse the run any more."""
