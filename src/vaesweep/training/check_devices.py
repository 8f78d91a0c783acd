"""Settings of devices that this machine, or Hydra's mode, does not allow."""

from hydra.core.hydra_config import HydraConfig
from hydra.types import RunMode
from lightning.fabric.plugins.environments.slurm import SLURMEnvironment
from lightning.pytorch.accelerators import CUDAAccelerator, MPSAccelerator
from omegaconf import DictConfig

from vaesweep.errors import ConfigError


def check_devices(config: DictConfig) -> None:
    """Refuse an accelerator that torch does not see, and several devices where one process trains a sweep.

    Raises `ConfigError`.
    """
    devices = config.trainer.devices
    one_process = HydraConfig.get().mode == RunMode.MULTIRUN and not SLURMEnvironment.detect()
    if config.trainer.strategy != "auto" and devices != 1 and one_process:
        # Lightning would start the other processes by the command line, which is that of the whole sweep
        raise ConfigError("trainer.devices", f"{devices} in a sweep of one process", "hydra/launcher=pool, or slurm")
    seen = {"cuda": CUDAAccelerator.is_available(), "mps": MPSAccelerator.is_available()}
    wanted = config.trainer.accelerator
    if (wanted == "gpu" and not any(seen.values())) or not seen.get(wanted, True):
        raise ConfigError("trainer.accelerator", wanted, "cpu | auto, as torch sees no such device on this machine")
