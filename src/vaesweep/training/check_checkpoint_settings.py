"""The settings that weights depend on: a checkpoint keeps them, and goes on under no others."""

from collections.abc import Mapping
from typing import Any

from vaesweep.errors import ConfigError
from vaesweep.records.flat_config import canonical, flat


def checkpoint_settings(config: Mapping[str, Any]) -> dict[str, Any]:
    """The settings that weights depend on, flat, of a run's hashed config."""
    parts = ("seed", "model", "network", "data", "optimizer")
    return flat({key: canonical(config[key]) for key in parts})


def check_settings(saved: Mapping[str, Any], current: Mapping[str, Any]) -> None:
    """Refuse a checkpoint that was `saved` under other settings than the `current`. Raises `ConfigError`.

    Weights and knobs are the checkpoint's: under other settings they would be recorded under a false name.
    """
    for name in {**saved, **current}:
        value, wanted = (canonical(settings.get(name)) for settings in (saved, current))
        if repr(wanted) != repr(value):  # as text, because NaN is not equal to itself
            raise ConfigError("resume", f"a checkpoint with {name}={value}", f"{wanted}, as in the config")
