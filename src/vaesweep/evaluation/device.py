"""The device of an evaluation."""

import torch

from vaesweep.errors import ConfigError
from vaesweep.settings.check_arguments import check_choice


def chosen_device(device: str) -> str:
    """The device to compute on. Raises `ConfigError` for one that torch does not see."""
    available = {"cpu": True, "cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available()}
    if device != "auto" and not available.get(check_choice("device", device, ("auto", *available))):
        raise ConfigError("device", device, "cpu | auto, as torch sees no such device on this machine")
    return next(name for name in ("cuda", "mps", "cpu") if available[name]) if device == "auto" else device
