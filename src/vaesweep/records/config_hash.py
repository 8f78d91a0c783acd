"""The settings that decide what a run computes, and their hash."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from typing import Any

from omegaconf import DictConfig, OmegaConf

NOT_HASHED = {
    *("folder", "resume", "logger", "hydra", "optimized_metric"),
    *(f"callbacks.{name}" for name in ("figures", "history", "example_images", "graceful_stop", "timer", "progress")),
    *("callbacks.last", "callbacks.best.dirpath"),
    *("data.root", "data.on_device", "data.cache"),
    *("trainer.accelerator", "trainer.devices", "trainer.strategy", "trainer.num_nodes", "trainer.profiler"),
    *("trainer.log_every_n_steps", "trainer.enable_progress_bar", "trainer.enable_model_summary"),
}
"""Settings of where a run goes, on what, and how it is watched, but not of what it computes."""


def config_hash(config: Mapping[str, Any]) -> str:
    """A name for what a run computes: the hash of its resolved config without what cannot change the result."""
    return hashlib.sha256(json.dumps(canonical(hashed_config(config)), sort_keys=True).encode()).hexdigest()[:16]


def canonical(value: Any) -> Any:
    """`value` with 4.0 as 4: a knob is a float either way."""
    if isinstance(value, Mapping):
        return {key: canonical(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [canonical(inner) for inner in value]
    return int(value) if isinstance(value, float) and value.is_integer() else value


def hashed_config(config: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """`config`, resolved, without what is `NOT_HASHED`."""
    kept: dict[str, Any] = {}
    for key in config:
        value = config[key]
        if f"{prefix}{key}" not in NOT_HASHED:
            if isinstance(value, Mapping):
                kept[key] = hashed_config(value, f"{prefix}{key}.")
            else:
                kept[key] = OmegaConf.to_container(value, resolve=True) if OmegaConf.is_config(value) else value
    return kept


def component_name(config: DictConfig, group: str, overrides: Sequence[str]) -> str:
    """What the model or data of a run are called: the file's name in the group, or the class given instead of its."""
    if any(override.lstrip("+").startswith(f"{group}._target_=") for override in overrides):
        return str(config[group]["_target_"]).rpartition(".")[2]
    return str(config.choices[group])


def flat(config: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Nested mappings as `model.beta`: value."""
    out: dict[str, Any] = {}
    for key, value in config.items():
        name = f"{prefix}{key}"
        out |= flat(value, f"{name}.") if isinstance(value, Mapping) else {name: value}
    return out
