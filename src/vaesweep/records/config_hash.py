"""The settings that decide what a run computes, and their hash."""

import hashlib
import json
from collections.abc import Mapping
from typing import Any

from omegaconf import OmegaConf

from vaesweep.records.flat_config import canonical

NOT_HASHED = {
    *("folder", "resume", "logger", "hydra", "optimized_metric", "checkpoint_every_n_seconds"),
    *(f"callbacks.{name}" for name in ("figures", "history", "example_images", "graceful_stop", "timer", "progress")),
    *("callbacks.last", "callbacks.best.dirpath", "callbacks.best.save_weights_only"),
    *("data.root", "data.on_device", "data.cache"),
    *("trainer.accelerator", "trainer.devices", "trainer.strategy", "trainer.num_nodes", "trainer.profiler"),
    *("trainer.log_every_n_steps", "trainer.enable_progress_bar", "trainer.enable_model_summary"),
}
"""Settings of where a run goes, on what, and how it is watched, but not of what it computes."""


def config_hash(config: Mapping[str, Any]) -> str:
    """A name for what a run computes: the hash of its resolved config without what cannot change the result."""
    return hashlib.sha256(json.dumps(canonical(hashed_config(config)), sort_keys=True).encode()).hexdigest()[:16]


def hashed_config(config: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """`config`, resolved, without what is `NOT_HASHED`."""
    hashed: dict[str, Any] = {}
    for key in config:
        if f"{prefix}{key}" not in NOT_HASHED:
            value = config[key]
            if isinstance(value, Mapping):
                hashed[key] = hashed_config(value, f"{prefix}{key}.")
            else:
                hashed[key] = OmegaConf.to_container(value, resolve=True) if OmegaConf.is_config(value) else value
    return hashed
