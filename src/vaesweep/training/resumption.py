"""What a resumed run needs beside Lightning's own resuming."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import lightning as L
from lightning.pytorch.callbacks import EarlyStopping
from lightning.pytorch.utilities import rank_zero_only
from omegaconf import OmegaConf

from vaesweep.atomic_files import atomically
from vaesweep.errors import ConfigError
from vaesweep.training.run_job import RunJob


class Resumption(L.Callback):
    """Records what a resumption was told, once it has begun, and goes by that for early stopping.

    Lightning gives an EarlyStopping the patience of the checkpoint, and would train one more epoch after one that has
    stopped: here it has the patience of `callbacks`, and the run is only tested, unless it has more of that now.
    """

    def __init__(self, job: RunJob, callbacks: Sequence[L.Callback]) -> None:
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


def save_resumed_config(job: RunJob) -> None:
    """Record what a resumption was told, for the next one; Hydra leaves a resumed folder's record alone.

    Called once the run has begun, when nothing can refuse the resumption any more.
    """
    if getattr(rank_zero_only, "rank", 0) == 0:
        folder: Path = job.folder / ".hydra"
        folder.mkdir(exist_ok=True)
        for name, content in (("config", job.config), ("overrides", job.results.overrides)):
            with atomically(folder / f"{name}.yaml") as path:
                OmegaConf.save(content, path)


def check_epochs(trainer: L.Trainer, checkpoint: Mapping[str, Any]) -> None:
    """Refuse to fit for fewer epochs than those of a checkpoint. Raises `ConfigError`.

    Its weights would be recorded as those of fewer epochs.
    """
    done, max_epochs = checkpoint["loops"]["fit_loop"]["epoch_progress"]["current"]["processed"], trainer.max_epochs
    if max_epochs is not None and 0 <= max_epochs < done:
        given = f"{max_epochs} for a run that was trained for {done} epochs"
        raise ConfigError("trainer.max_epochs", given, f"a whole number of at least {done}")


def check_cycle(trainer: L.Trainer, steps: int) -> None:
    """Refuse to go on with a cycle of learning rates that was planned for other than `steps`. Raises `ConfigError`."""
    states = [config.scheduler.state_dict() for config in trainer.lr_scheduler_configs]
    planned = [state["total_steps"] for state in states if "total_steps" in state]
    if planned not in ([], [steps]):
        given = f"{trainer.max_epochs} ({steps} steps) to resume a cycle of {planned[0]} steps"
        allowed = "as before, for onecycle; optimizer.lr_schedule=constant can go on"
        raise ConfigError("trainer.max_epochs", given, allowed)


def restart_cut_epochs_only(trainer: L.Trainer) -> None:
    """Have a run with `max_steps` begin the next epoch where its checkpoint is that of a whole one.

    Lightning takes up the last epoch again whenever there is a `max_steps`, finds no batch left in it, and ends.
    """
    loop: Any = trainer.fit_loop
    loop._iteration_based_training = lambda: (
        trainer.max_steps != -1 and not loop.epoch_loop.batch_progress.is_last_batch
    )
