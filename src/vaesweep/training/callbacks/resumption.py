"""The callback of a resumed run: what it needs beside Lightning's own resuming."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import lightning as L
from lightning.pytorch.callbacks import EarlyStopping
from lightning.pytorch.utilities import rank_zero_only
from omegaconf import OmegaConf

from vaesweep.atomic_files import atomically
from vaesweep.training.check_resumption import check_cycle
from vaesweep.training.planned_run import PlannedRun


class Resumption(L.Callback):
    """Records what a resumption was told, once it has begun, and goes by that for early stopping.

    Lightning gives an EarlyStopping the patience of the checkpoint, and would train one more epoch after one that has
    stopped: here it has the patience of `callbacks`, and the run is only tested, unless it has more of that now.
    """

    def __init__(self, job: PlannedRun, callbacks: Sequence[L.Callback]) -> None:
        self.job = job
        self.patience = {each: each.patience for each in callbacks if isinstance(each, EarlyStopping)}

    def on_fit_start(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        for stop, patience in self.patience.items():
            if stop.stopped_epoch > 0 and stop.patience <= stop.wait_count < patience:
                stop.stopped_epoch = 0
            stop.patience = patience
            trainer.should_stop = trainer.should_stop or stop.stopped_epoch > 0

    def on_train_start(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        module: Any = pl_module
        check_cycle(trainer, module.steps)
        self.begin()

    def on_fit_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        self.begin()  # where all epochs were trained before, and only the test is left

    def begin(self) -> None:
        """Take note that nothing refuses the resumption any more."""
        if not self.job.has_begun:
            self.job.has_begun = True
            save_resumed_config(self.job)


def save_resumed_config(job: PlannedRun) -> None:
    """Record what a resumption was told, for the next one; Hydra leaves a resumed folder's record alone.

    Called once the run has begun, when nothing can refuse the resumption any more.
    """
    if getattr(rank_zero_only, "rank", 0) == 0:
        folder: Path = job.folder / ".hydra"
        folder.mkdir(exist_ok=True)
        for name, content in (("config", job.config), ("overrides", job.results.overrides)):
            with atomically(folder / f"{name}.yaml") as path:
                OmegaConf.save(content, path)
