"""The progress bar."""

import sys

import lightning as L
from lightning.pytorch.callbacks import TQDMProgressBar
from lightning.pytorch.callbacks.progress.tqdm_progress import Tqdm


class ProgressBar(TQDMProgressBar):
    """Lightning's tqdm bar, on a terminal alone: in a file every refresh would stay.

    Not its rich one: drawing that takes as long as several steps of a small model.
    """

    def __init__(self, refresh_rate: int) -> None:
        super().__init__(refresh_rate)
        if not sys.stdout.isatty():
            self.disable()

    def init_test_tqdm(self) -> Tqdm:
        bar = super().init_test_tqdm()
        bar.leave = False  # the table of the test's results is next
        return bar

    def get_metrics(
        self, trainer: L.Trainer, pl_module: L.LightningModule
    ) -> dict[str, int | str | float | dict[str, float]]:
        metrics = super().get_metrics(trainer, pl_module)
        metrics.pop("v_num", None)  # the logger's run id says nothing, and 80 columns are few
        return metrics
