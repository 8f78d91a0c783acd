"""What every Lightning logger of a run gets, whichever they are: scalars, settings, and figures where it can."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import lightning.pytorch.loggers as lightning_loggers
from lightning.pytorch.loggers import Logger
from torch import Tensor

from vaesweep.records.config_hash import flat

COMPARED_GROUPS = ("model", "network", "data", "optimizer")
"""Parts of the configuration whose settings are compared."""


def log_metrics(loggers: Iterable[Logger], metrics: Mapping[str, Tensor], step: int) -> None:
    """Scalars at optimizer step `step`."""
    loggers = list(loggers)
    values = {name: value.item() for name, value in metrics.items()} if loggers else {}
    for logger in loggers:
        logger.log_metrics(values, step=step)
        logger.save()


def log_settings(loggers: Iterable[Logger], config: Mapping[str, Any]) -> None:
    """The resolved configuration of the run; for W&B also flat, the form in which its charts and sweeps name them."""
    for logger in loggers:
        wandb = isinstance(logger, lightning_loggers.WandbLogger)
        logger.log_hyperparams(dict(config) | (flat_settings(config) if wandb else {}))


def flat_settings(config: Mapping[str, Any]) -> dict[str, Any]:
    """The settings of the `COMPARED_GROUPS`, such as model.beta, without the names of classes."""
    settings = flat({key: config[key] for key in COMPARED_GROUPS if key in config})
    return {name: value for name, value in settings.items() if not name.endswith("_target_")}


def log_figure(loggers: Iterable[Logger], name: str, path: Path, step: int) -> None:
    """A figure that lies at `path` as PNG, to every logger that takes images."""
    for logger in loggers:
        if hasattr(logger, "log_image"):
            logger.log_image(name, [str(path)], step=step)
        elif isinstance(logger, lightning_loggers.TensorBoardLogger):
            import matplotlib.image  # here, because training need not wait for it

            logger.experiment.add_image(name, matplotlib.image.imread(path), step, dataformats="HWC")
