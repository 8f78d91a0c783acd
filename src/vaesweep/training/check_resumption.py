"""What refuses to go on from a checkpoint: other settings, fewer epochs, another cycle of learning rates."""

from collections.abc import Mapping
from typing import Any

import lightning as L

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


def check_epochs(trainer: L.Trainer, checkpoint: Mapping[str, Any]) -> None:
    """Refuse to fit for fewer epochs than those of a checkpoint. Raises `ConfigError`.

    Its weights would be recorded as those of fewer epochs.
    """
    done, max_epochs = checkpoint["loops"]["fit_loop"]["epoch_progress"]["current"]["processed"], trainer.max_epochs
    if max_epochs is not None and 0 <= max_epochs < done:
        given = f"{max_epochs} for a run that was trained for {done} epochs"
        raise ConfigError("trainer.max_epochs", given, f"a whole number of at least {done}")


def check_cycle(trainer: L.Trainer, steps: int) -> None:
    """Refuse to go on with a cycle of learning rates that was planned for other than `steps`. Raises `ConfigError`."""
    states = [config.scheduler.state_dict() for config in trainer.lr_scheduler_configs]
    planned = [state["total_steps"] for state in states if "total_steps" in state]
    if planned not in ([], [steps]):
        given = f"{trainer.max_epochs} ({steps} steps) to resume a cycle of {planned[0]} steps"
        allowed = "as before, for onecycle; optimizer.lr_schedule=constant can go on"
        raise ConfigError("trainer.max_epochs", given, allowed)
