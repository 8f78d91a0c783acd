"""What every Lightning logger of a run gets, whichever they are: scalars, settings, figures and results."""

from collections.abc import Iterable, Mapping
from pathlib import Path

import lightning.pytorch.loggers as lightning_loggers
from lightning.pytorch.loggers import Logger
from torch import Tensor

from vaesweep.records.results import Results


def log_metrics(loggers: Iterable[Logger], metrics: Mapping[str, Tensor | float], step: int) -> None:
    """Scalars at optimizer step `step`."""
    loggers = list(loggers)
    values = {name: float(value) for name, value in metrics.items()} if loggers else {}
    for logger in loggers:
        logger.log_metrics(values, step=step)
        logger.save()


def log_settings(loggers: Iterable[Logger], results: Results) -> None:
    """The settings that decide what a run computes, nested, as its record has them."""
    for logger in loggers:
        logger.log_hyperparams(results.config)


def log_results(loggers: Iterable[Logger], results: Results, training_means: Mapping[str, float]) -> None:
    """The record of a completed run, and the means of its last epoch, to every logger that takes a record."""
    for logger in loggers:
        if hasattr(logger, "log_results"):
            logger.log_results(results, training_means)


def log_figure(loggers: Iterable[Logger], name: str, path: Path, step: int) -> None:
    """A figure that lies at `path` as PNG, to every logger that takes images."""
    for logger in loggers:
        if hasattr(logger, "log_image"):
            logger.log_image(name, [str(path)], step=step)
        elif isinstance(logger, lightning_loggers.TensorBoardLogger):
            import matplotlib.image  # here, because training need not wait for it

            logger.experiment.add_image(name, matplotlib.image.imread(path), step, dataformats="HWC")
