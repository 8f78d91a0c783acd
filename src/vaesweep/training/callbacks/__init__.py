"""Callbacks of a run: they say when, and what happens is written elsewhere."""

from vaesweep.training.callbacks.figure_logger import FigureLogger
from vaesweep.training.callbacks.graceful_stop import GracefulStop
from vaesweep.training.callbacks.history_csv import HistoryCSV
from vaesweep.training.callbacks.progress_bar import ProgressBar
from vaesweep.training.callbacks.save_example_images import ExampleImages

__all__ = ["ExampleImages", "FigureLogger", "GracefulStop", "HistoryCSV", "ProgressBar"]
