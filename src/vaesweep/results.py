"""results.json: what a run is remembered by."""

import hashlib
import json
import os
import platform
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from importlib.metadata import version
from pathlib import Path
from typing import Any

from vaesweep import __version__

FILE = "results.json"
IMMATERIAL = {
    *("folder", "choices", "resume", "logger", "callbacks"),
    *("data.root", "data.on_device", "data.cache"),
    *("trainer.accelerator", "trainer.devices", "trainer.strategy", "trainer.num_nodes"),
    *("trainer.log_every_n_steps", "trainer.enable_progress_bar", "trainer.enable_model_summary"),
}
"""Settings of where a run goes, on what, and how it is watched, but not, up to rounding, of what it computes."""


@dataclass
class Results:
    """One run. `metrics` are flat test metrics (nats per image, mse per pixel); times are in seconds of training."""

    model: str
    data: str
    seed: int
    overrides: list[str]
    config_hash: str
    status: str = "failed"
    reason: str | None = None
    metrics: dict[str, float] = field(default_factory=dict)
    seconds: float = 0.0
    seconds_per_epoch: float = 0.0
    epochs: int = 0
    parameters: int = 0
    versions: dict[str, str] = field(default_factory=lambda: versions())

    def write(self, folder: Path) -> None:
        """Write `folder`/results.json, whole or not at all."""
        unfinished = folder / f"{FILE}.part"
        unfinished.write_text(json.dumps(asdict(self), indent=2, allow_nan=False) + "\n")
        os.replace(unfinished, folder / FILE)


def config_hash(config: Mapping[str, Any]) -> str:
    """A name for what a run computes: the hash of its resolved config without what cannot change the result."""
    return hashlib.sha256(json.dumps(material(config), sort_keys=True).encode()).hexdigest()[:16]


def material(config: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """`config` without what is `IMMATERIAL`."""
    kept = {key: value for key, value in config.items() if f"{prefix}{key}" not in IMMATERIAL}
    return {k: material(v, f"{prefix}{k}.") if isinstance(v, Mapping) else v for k, v in kept.items()}


def versions() -> dict[str, str]:
    """Versions of Python and of the packages that numbers depend on."""
    packages = ("torch", "torchvision", "lightning", "torchmetrics", "hydra-core", "wandb")
    return {"python": platform.python_version(), "vaesweep": __version__} | {name: version(name) for name in packages}
