"""A run in this process."""

from pathlib import Path

import numpy as np
from omegaconf import DictConfig

from vaesweep.records.image_scores import FILE
from vaesweep.records.results import Results
from vaesweep.training.run_and_record import run


def recorded_metrics(config: DictConfig) -> dict[str, float]:
    """Run `config`; the metrics of its record."""
    run(config)
    return Results.read(Path(config.folder)).metrics


def read_image_scores(folder: Path) -> dict[str, np.ndarray]:
    """The scores of every test image of a run."""
    with np.load(folder / FILE, allow_pickle=False) as file:
        return {name: file[name] for name in file.files}
