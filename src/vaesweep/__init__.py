"""Experiments with the autoencoder family: what does reconstruction cost in KL?

In a notebook, `load` gives a trained model and `load_study` the table of many runs:

    run = vaesweep.load("runs/FOLDER")
    x, y = run.data.examples(8)
    x_hat = run.reconstruct(x)
    study = vaesweep.load_study("runs/STUDY")
    study.frame()
"""

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from vaesweep.notebook.trained_run import TrainedRun
    from vaesweep.notebook.trained_study import Study

__all__ = ["__version__", "load", "load_study"]
__version__ = "0.1.0"


def load(
    folder: str | Path, checkpoint: str | None = None, root: str | None = None, device: str = "cpu"
) -> "TrainedRun":
    """The completed run in `folder`: its model with trained weights, its data, config and results.

    `checkpoint` is last | best, by default the one that the run tested. `root` is the folder of its data, if it is
    not where training found it; a relative one in the config starts at the working directory. `device` is
    auto | cpu | cuda | mps. Raises `ConfigError`: no completed run, no such checkpoint, device or data.
    """
    # here, because torch takes seconds to import
    from vaesweep.evaluation.device import chosen_device
    from vaesweep.notebook.trained_run import TrainedRun

    return TrainedRun.load(Path(folder), checkpoint, root, chosen_device(device))


def load_study(*folders: str | Path) -> "Study":
    """All runs in and below `folders`, each a study, a run, or a folder of such: as a table and as charts.

    Raises `ConfigError` where there is no run.
    """
    from vaesweep.notebook.trained_study import Study  # here, because pandas and Altair take a second to import

    return Study([Path(folder) for folder in folders])
