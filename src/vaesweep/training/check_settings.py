"""Settings of a run that no constructor checks."""

from hydra.core.hydra_config import HydraConfig
from hydra.types import RunMode
from lightning.fabric.plugins.environments.slurm import SLURMEnvironment
from lightning.pytorch.accelerators import CUDAAccelerator, MPSAccelerator
from omegaconf import DictConfig, ListConfig

from vaesweep.checks import ConfigError, check_bool, check_choice, check_int


def check_settings(config: DictConfig) -> None:
    """Refuse what no constructor of ours sees. Raises `ConfigError`."""
    check_int("seed", config.seed, 0)
    check_bool("compile", config.compile)
    check_choice("test_checkpoint", config.test_checkpoint, ("last", "best"))
    check_int("trainer.max_epochs", config.trainer.max_epochs)
    # true half precision is not among them: objective terms are float32, and a half decoder would not take their codes
    check_choice("trainer.precision", config.trainer.precision, ("32-true", "bf16-mixed", "16-mixed", "64-true"))
    devices = config.trainer.devices
    if (
        config.trainer.strategy == "auto"
        and devices != 1
        and not (isinstance(devices, ListConfig) and len(devices) == 1)
    ):
        allowed = f"1, a list of one such as [0], or trainer=ddp trainer.devices={devices}"
        raise ConfigError("trainer.devices", devices, allowed)
    one_process = HydraConfig.get().mode == RunMode.MULTIRUN and not SLURMEnvironment.detect()
    if config.trainer.strategy != "auto" and devices != 1 and one_process:
        # Lightning would start the other processes by the command line, which is that of the whole sweep
        raise ConfigError("trainer.devices", f"{devices} in a sweep of one process", "hydra/launcher=pool, or slurm")
    seen = {"cuda": CUDAAccelerator.is_available(), "mps": MPSAccelerator.is_available()}
    wanted = config.trainer.accelerator
    if (wanted == "gpu" and not any(seen.values())) or not seen.get(wanted, True):
        raise ConfigError("trainer.accelerator", wanted, "cpu | auto, as torch sees no such device on this machine")
