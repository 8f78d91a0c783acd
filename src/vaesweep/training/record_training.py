"""What training and test enter in the record of a run: durations and metrics."""

import time
from collections.abc import Sequence

import lightning as L
from lightning.pytorch.callbacks import Timer
from lightning.pytorch.utilities import rank_zero_only

from vaesweep.records.per_image_scores import write_image_scores
from vaesweep.records.results import Results
from vaesweep.training.epoch_metrics import EpochMetrics
from vaesweep.training.planned_run import PlannedRun


class Stopwatch:
    """Seconds of training: those of a Timer callback, which a resumed run goes on with, or those since it was made."""

    def __init__(self, callbacks: Sequence[L.Callback]) -> None:
        self.timer = next((callback for callback in callbacks if isinstance(callback, Timer)), None)
        self.start = time.monotonic()

    def seconds(self) -> float:
        return self.timer.time_elapsed("train") if self.timer else time.monotonic() - self.start


def record_duration(results: Results, epochs: int, seconds: float) -> None:
    """Enter the epochs trained, and the seconds that they took."""
    results.epochs, results.seconds = epochs, round(seconds, 3)
    results.seconds_per_epoch = round(results.seconds / max(1, epochs), 4)


def record_metrics(job: PlannedRun, means: EpochMetrics) -> None:
    """Enter the metrics of the tested weights, with their errors, and write those of every test image."""
    results = job.results
    results.metrics = {name: round(value.item(), 6) for name, value in means.metrics.items()}
    results.errors = {name: float(f"{value:.6g}") for name, value in means.errors().items()}
    rank_zero_only(write_image_scores)(job.folder, means.image_metrics("test"))
    results.dimensions = [round(value, 6) for value in means.dimensions]
    results.status = "completed"
