"""One progress bar for the whole of training."""

import math
import shutil
import sys
import time
from typing import Any

import lightning as L
from lightning.pytorch.callbacks import ProgressBar as LightningProgressBar
from lightning.pytorch.callbacks import Timer
from tqdm import tqdm

from vaesweep.records.duration import duration
from vaesweep.settings.check_arguments import check_int

LINES = 10
"""Lines that a run writes where its output is no terminal, after the first."""
LINE_SECONDS = 60.0
"""Seconds after which such a run writes another line anyway."""
BAR_WIDTH, TEXT_WIDTH = 30, 48
"""Columns of the bar where there are enough, and those that are kept for the text on its right."""


class ProgressBar(LightningProgressBar):
    """Shows epochs done, the latest validation loss and the time left; refreshed every `refresh_rate` steps.

    On a terminal it is one bar for the whole run. Elsewhere, where every refresh would stay, it is a line at the start,
    after every tenth of the epochs, at least every minute, and at the end. What `max_steps` and `max_time` leave of
    `max_epochs` is what is left.
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
        loop: Any = trainer.fit_loop
        batches = int(trainer.num_training_batches)
        begun = loop.epoch_loop.batch_progress.current.processed % batches  # of an epoch that was interrupted
        self.start, self.first = time.monotonic(), trainer.current_epoch + begun / batches
        self.is_live = self.is_enabled and sys.stdout.isatty()
        # a text that does not fit would be cut in the middle of its numbers
        width = min(BAR_WIDTH, shutil.get_terminal_size().columns - TEXT_WIDTH)
        self.bar = tqdm(
            total=math.ceil(batches * self.epochs(trainer)),
            initial=batches * trainer.current_epoch + begun,
            disable=not self.is_live,
            file=sys.stdout,
            bar_format=f"|{{bar:{width}}}| {{desc}}" if width > 0 else "{desc}",
            desc=self.state(trainer, trainer.current_epoch, begun),
            leave=False,
        )
        self.print_line(trainer, trainer.current_epoch, begun)

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
        done, total = trainer.current_epoch + 1, math.ceil(self.epochs(trainer))
        self.show(trainer, done, 0)
        self.bar.refresh()
        is_tenth = done * LINES // total > (done - 1) * LINES // total
        if is_tenth or time.monotonic() > self.line_time + LINE_SECONDS:
            self.print_line(trainer, done, 0)

    def on_train_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        self.bar.close()
        loop: Any = trainer.fit_loop
        done = loop.epoch_progress.current.processed
        if self.printed < done:  # something else than the number of epochs has ended training
            self.print_line(trainer, done, 0, at_end=True)

    def on_exception(self, trainer: L.Trainer, pl_module: L.LightningModule, exception: BaseException) -> None:
        if hasattr(self, "bar"):
            self.bar.close()

    def show(self, trainer: L.Trainer, epoch: int, batches: int) -> None:
        """Move the bar to so many whole epochs and batches."""
        self.bar.set_description_str(self.state(trainer, epoch, batches), refresh=False)
        self.bar.update(int(trainer.num_training_batches) * epoch + batches - self.bar.n)

    def print_line(self, trainer: L.Trainer, epoch: int, batches: int, at_end: bool = False) -> None:
        """Say the same in a line, where there is no terminal."""
        self.line_time, self.printed = time.monotonic(), epoch
        if self.is_enabled and not self.is_live and trainer.is_global_zero:
            print(self.state(trainer, epoch, batches, at_end), flush=True)

    def state(self, trainer: L.Trainer, epoch: int, batches: int, at_end: bool = False) -> str:
        """Epochs done of all, the latest validation loss, and the time that the rest takes at the speed so far."""
        total, done = self.epochs(trainer), epoch + batches / max(1, int(trainer.num_training_batches))
        text = f"epoch {epoch}/{math.ceil(total)}{self.validation}"
        if done == self.first:
            return text
        seconds = (time.monotonic() - self.start) / (done - self.first) * max(0.0, total - done)
        return f"{text}  {duration(0.0 if at_end else min(seconds, time_remaining(trainer)))} left"

    def epochs(self, trainer: L.Trainer) -> float:
        """Epochs of the whole run; the last one is a part where `max_steps` cuts it."""
        epochs = float(trainer.max_epochs or 1)
        if trainer.max_steps > 0:
            steps = math.ceil(int(trainer.num_training_batches) / trainer.accumulate_grad_batches)
            epochs = min(epochs, trainer.max_steps / steps)
        return epochs


def time_remaining(trainer: Any) -> float:
    """Seconds until a Timer stops the training; infinite without one."""
    limits = [callback.time_remaining("train") for callback in trainer.callbacks if isinstance(callback, Timer)]
    return max(0.0, min((limit for limit in limits if limit is not None), default=math.inf))
