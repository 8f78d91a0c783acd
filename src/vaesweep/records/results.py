"""results.json: the record of a run."""

import hashlib
import json
import platform
from collections.abc import Mapping, Sequence
from dataclasses import MISSING, asdict, dataclass, field, fields
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from omegaconf import DictConfig, OmegaConf

from vaesweep import __version__
from vaesweep.files import atomically

if TYPE_CHECKING:
    from vaesweep.models import Declaration

FILE = "results.json"
STUDY = "multirun.yaml"
"""What Hydra leaves in the folder of a study: its configuration, and the overrides it was started with."""
NOT_HASHED = {
    *("folder", "resume", "logger", "hydra"),
    *(f"callbacks.{name}" for name in ("figures", "history", "example_images", "graceful_stop", "timer", "progress")),
    *("callbacks.last", "callbacks.best.dirpath"),
    *("data.root", "data.on_device", "data.cache"),
    *("trainer.accelerator", "trainer.devices", "trainer.strategy", "trainer.num_nodes", "trainer.profiler"),
    *("trainer.log_every_n_steps", "trainer.enable_progress_bar", "trainer.enable_model_summary"),
}
"""Settings of where a run goes, on what, and how it is watched, but not of what it computes."""


@dataclass
class Results:
    """One run. `metrics` are flat test metrics (nats per image, mse per pixel); times are in seconds of training.

    `config` is what decides them, `config_hash` its name. `declaration` is that of the model: its terms with their
    units, and which is a rate; {} where the run failed before there was a model. `dimensions` says what each latent
    dimension carries, in the unit declared.
    """

    model: str
    data: str
    seed: int
    overrides: list[str]
    config_hash: str
    config: dict[str, Any]
    status: str = "failed"
    reason: str | None = None
    metrics: dict[str, float] = field(default_factory=dict)
    dimensions: list[float] = field(default_factory=list)
    seconds: float = 0.0
    seconds_per_epoch: float = 0.0
    epochs: int = 0
    parameters: int = 0
    declaration: dict[str, Any] = field(default_factory=dict)
    trained_together: int = 1
    """Runs that were trained at once with it, itself included; the seconds are this one's share."""
    versions: dict[str, str] = field(default_factory=lambda: versions())

    @classmethod
    def from_config(cls, config: DictConfig, overrides: Sequence[str]) -> Self:
        """The record of a run that is yet to come, from its configuration and the overrides that made it."""
        given = [o for o in overrides if not o.startswith("resume=")]
        hashed = hashed_config(config)
        model, data = (component_name(config, part, given) for part in ("model", "data"))
        return cls(model, data, config.seed, given, config_hash(config), hashed)

    @classmethod
    def read(cls, folder: Path) -> Self:
        """The record in `folder`. Raises FileNotFoundError, or ValueError for what is no record of ours."""
        try:
            kept = json.loads((folder / FILE).read_text())
        except ValueError:
            raise ValueError(f"{FILE} is cut short or not JSON") from None
        needed = {f.name for f in fields(cls) if f.default is MISSING and f.default_factory is MISSING}
        whole = isinstance(kept, dict) and needed <= set(kept) and isinstance(kept.get("metrics"), dict)
        if not whole:
            raise ValueError(f"{FILE} is not the record of a run")
        return cls(**{f.name: kept[f.name] for f in fields(cls) if f.name in kept})

    @classmethod
    def load_or_none(cls, folder: Path) -> Self | None:
        """The record in `folder`, or None where there is none that can be read."""
        try:
            return cls.read(folder)
        except (OSError, ValueError):
            return None

    @property
    def declared(self) -> "Declaration":
        """What the model declares that it records."""
        from vaesweep.models import Declaration  # here, because names of jobs are wanted where torch is not

        return Declaration.from_record(self.declaration)

    def write(self, folder: Path) -> None:
        """Write `folder`/results.json, whole or not at all."""
        text = json.dumps(asdict(self), indent=2, allow_nan=False)
        with atomically(folder / FILE) as path:
            path.write_text(text + "\n")


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


def versions() -> dict[str, str]:
    """Versions of Python and of the packages that numbers depend on."""
    packages = ("torch", "torchvision", "lightning", "torchmetrics", "hydra-core", "wandb")
    return {"python": platform.python_version(), "vaesweep": __version__} | {name: version(name) for name in packages}
