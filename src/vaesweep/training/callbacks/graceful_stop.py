"""Stop a run between two steps on Ctrl-C or SIGTERM, with a checkpoint to go on from."""

import signal
from pathlib import Path
from types import FrameType
from typing import Any

import lightning as L
import torch

from vaesweep.stop_signals import SIGNALS, Interrupted, interrupt


class GracefulStop(L.Callback):
    """Remembers the first signal during training, finishes the step, saves `path` and raises `Interrupted`.

    All processes agree to stop after the same step, whichever got it. Of a signal in the last step of an epoch the
    epoch's own checkpoint takes care. A second signal stops at once and saves nothing more, as does the first one after
    the last step.
    """

    def __init__(self, path: str) -> None:
        self.path = Path(path)
        self.signum: int | None = None
        self.agreed = 0

    def on_train_start(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        # here, and not before: Lightning installs handlers of its own on the way in, and takes all back on the way out
        for signum in SIGNALS:
            signal.signal(signum, self.handle_signal)

    def handle_signal(self, signum: int, frame: FrameType | None) -> None:
        if self.signum is not None:
            raise Interrupted(signum)
        self.signum = signum

    def on_train_batch_end(
        self, trainer: L.Trainer, pl_module: L.LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        # only between optimizer steps: gradients that are still being accumulated are in no checkpoint
        between = (batch_idx + 1) % trainer.accumulate_grad_batches == 0
        if between and self.should_stop(trainer) and not trainer.fit_loop.epoch_loop.batch_progress.is_last_batch:
            trainer.save_checkpoint(self.path)
            self.stop()

    def on_train_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        for signum in SIGNALS:  # first, for none to be lost in between: there is no step left that would see it
            signal.signal(signum, interrupt)
        if self.should_stop(trainer):
            self.stop()

    def should_stop(self, trainer: L.Trainer) -> bool:
        """Whether any process got a signal; of several, all agree on one."""
        self.agreed = self.signum or 0
        if trainer.world_size > 1:
            votes = torch.tensor(float(self.agreed), device=trainer.strategy.root_device)
            self.agreed = int(trainer.strategy.reduce(votes, reduce_op="max"))
        return self.agreed > 0

    def stop(self) -> None:
        raise Interrupted(self.agreed)
