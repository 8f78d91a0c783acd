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

FILE = "results.json"
# what changes where a run goes or how it is watched, but not what it computes
IMMATERIAL = {"folder", "resume", "logger", "callbacks", "choices", "test"}


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
    material = {key: value for key, value in config.items() if key not in IMMATERIAL}
    return hashlib.sha256(json.dumps(material, sort_keys=True, default=str).encode()).hexdigest()[:16]


def versions() -> dict[str, str]:
    """Versions of Python and of the packages that numbers depend on."""
    packages = ("vaesweep", "torch", "torchvision", "lightning", "torchmetrics", "hydra-core", "wandb")
    return {"python": platform.python_version()} | {name: version(name) for name in packages}
