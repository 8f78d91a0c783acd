"""One progress bar for the whole of training."""

import sys
import time
from typing import Any

import lightning as L
from lightning.pytorch.callbacks import ProgressBar as LightningProgressBar
from tqdm import tqdm

from vaesweep.records.duration import duration
from vaesweep.settings.check_values import check_int

LINES = 10
"""Lines that a run writes where its output is no terminal, after the first."""
LINE_SECONDS = 60.0
"""Seconds after which such a run writes another line anyway."""


class ProgressBar(LightningProgressBar):
    """Shows epochs done, the latest validation loss and the time left; refreshed every `refresh_rate` steps.

    On a terminal it is one bar for the whole run. Elsewhere, where every refresh would stay, it is a line at the start,
    after every tenth of the epochs, and at least every minute.
    """

    def __init__(self, refresh_rate: int) -> None:
        super().__init__()
        self.refresh_rate = check_int("refresh_rate", refresh_rate)
        self.is_enabled = True
        self.validation = ""

    def disable(self) -> None:
        self.is_enabled = False

    def enable(self) -> None:
        self.is_enabled = True

    def on_train_start(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        self.start, self.first_epoch = time.monotonic(), trainer.current_epoch
        self.is_live = self.is_enabled and sys.stdout.isatty()
        self.bar = tqdm(
            total=int(trainer.num_training_batches) * self.epochs(trainer),
            initial=int(trainer.num_training_batches) * trainer.current_epoch,
            disable=not self.is_live,
            file=sys.stdout,
            bar_format="|{bar:30}| {desc}",
            desc=self.state(trainer, trainer.current_epoch, 0),
            leave=False,
        )
        self.print_line(trainer, trainer.current_epoch, 0)

    def on_train_batch_end(
        self, trainer: L.Trainer, pl_module: L.LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        if (batch_idx + 1) % self.refresh_rate == 0:
            self.show(trainer, trainer.current_epoch, batch_idx + 1)
            if time.monotonic() > self.line_time + LINE_SECONDS:
                self.print_line(trainer, trainer.current_epoch, batch_idx + 1)

    def on_validation_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        if "val/loss" in trainer.callback_metrics:
            self.validation = f"  val {trainer.callback_metrics['val/loss'].item():.1f}"

    def on_train_epoch_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        done, total = trainer.current_epoch + 1, self.epochs(trainer)
        self.show(trainer, done, 0)
        self.bar.refresh()
        is_tenth = done * LINES // total > (done - 1) * LINES // total
        if is_tenth or time.monotonic() > self.line_time + LINE_SECONDS:
            self.print_line(trainer, done, 0)

    def on_train_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        self.bar.close()

    def on_exception(self, trainer: L.Trainer, pl_module: L.LightningModule, exception: BaseException) -> None:
        if hasattr(self, "bar"):
            self.bar.close()

    def show(self, trainer: L.Trainer, epoch: int, batches: int) -> None:
        """Move the bar to so many whole epochs and batches."""
        self.bar.set_description_str(self.state(trainer, epoch, batches), refresh=False)
        self.bar.update(int(trainer.num_training_batches) * epoch + batches - self.bar.n)

    def print_line(self, trainer: L.Trainer, epoch: int, batches: int) -> None:
        """Say the same in a line, where there is no terminal."""
        self.line_time = time.monotonic()
        if self.is_enabled and not self.is_live and trainer.is_global_zero:
            print(self.state(trainer, epoch, batches), flush=True)

    def state(self, trainer: L.Trainer, epoch: int, batches: int) -> str:
        """Epochs done of all, the latest validation loss, and the time that the rest takes at the speed so far."""
        total, done = self.epochs(trainer), epoch + batches / max(1, int(trainer.num_training_batches))
        text = f"epoch {epoch}/{total}{self.validation}"
        if done == self.first_epoch:
            return text
        seconds = (time.monotonic() - self.start) / (done - self.first_epoch) * (total - done)
        return f"{text}  {duration(seconds)} left"

    def epochs(self, trainer: L.Trainer) -> int:
        """Epochs of the whole run."""
        return trainer.max_epochs or 1
